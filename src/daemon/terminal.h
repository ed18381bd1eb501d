/* SPDX-License-Identifier: Apache-2.0 */
/*
 * terminal.h - a pty of the command's own, between it and the user's terminal
 *
 * The user's terminal is in raw mode meanwhile, and what is typed goes to the pty, whose line
 * discipline makes signals of it for the command; what the command writes goes to
 * the user's terminal, unless it is held.  While it is held what is typed goes to whoever holds it.
 * The terminal is set back when this ends, also if this process is killed (by a process that
 * waits for that).
 *
 * Ctrl-Z, when the command itself is in the foreground of the pty: it and we stop, as one
 * job of the user's shell.  In the background of the user's terminal the command goes on, and may
 * write; what is typed is not for it.
 */
#ifndef SLUICE_DAEMON_TERMINAL_H
#define SLUICE_DAEMON_TERMINAL_H

#include <event2/event.h>

#include "base/err.h"
#include "base/span.h"

struct terminal;

/* Return: NULL: there is no controlling terminal (@err is empty), or it failed */
struct terminal *terminal_open(struct err *err);

/* What the command gets instead of each of 0 to 2 that is a terminal (jail_plan.terminal) */
int terminal_slave(const struct terminal *t);

struct terminal_size { unsigned short rows, columns; };
struct terminal_size terminal_size(const struct terminal *t);

/* @group: process group of the command, once it runs */
void terminal_start(struct terminal *t, struct event_base *loop, pid_t group);

/*
 * terminal_hold() - show nothing of the command's, hand it nothing
 * @typed:	the keys of one byte that the user types from now on, in one go, or none when the
 *		window has changed; what he typed before is thrown away, and what the terminal says
 *		by itself is not among them
 *
 * What follows is written where the command has not written, and as it is (proto/screen.h).
 * In the background of the terminal the whole job stops first, as what reads from it there does.
 * Return: false: it goes on in the background, and nothing is held.
 */
bool terminal_hold(struct terminal *t, void (*typed)(void *arg, struct span bytes), void *arg);
void terminal_release(struct terminal *t);	/* the command is told to paint anew */
void terminal_flush(struct terminal *t);	/* throw away what was typed until now */
bool terminal_is_held(const struct terminal *t);
void terminal_write(struct terminal *t, struct span bytes);	/* to the user; blocks */
void terminal_type(struct terminal *t, struct span bytes);	/* to the command */

/* The command has ended: show the rest, and set the terminal back */
void terminal_over(struct terminal *t);
void terminal_close(struct terminal *t);	/* NULL is fine */

#endif
