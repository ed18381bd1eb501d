/* SPDX-License-Identifier: Apache-2.0 */
/* ports.h - ports as rules and flags write them */
#ifndef SLUICE_POLICY_PORTS_H
#define SLUICE_POLICY_PORTS_H

#include "policy/policy.h"

/*
 * port_parse() - one port, 1 to 65535
 */
bool port_parse(struct span text, uint16_t *ret_port);

/* 53 and 853: DNS is sluice's own */
bool port_is_own(uint16_t port);

/*
 * ports_parse() - "443", "8000-8010", "123/udp", "60000-60010/udp"
 *
 * Return: false if it is neither, or holds one of sluice's own: a rule that
 *         opens DNS would be a way around.
 */
bool ports_parse(struct span text, struct port_range *ret_range);

/*
 * ports_tidy() - sort by transport and number, and join what overlaps or touches
 *
 * Return: how many ranges are left at the front of @ranges.
 */
size_t ports_tidy(struct port_range *ranges, size_t count);

/*
 * port_map_host() - [JAIL:]PORT, as --host-port takes it
 */
bool port_map_host(struct span text, struct port_map *ret_map);

/*
 * port_map_publish() - [ADDR:]PORT[:JAIL], as --publish takes it; an IPv6 ADDR in brackets
 */
bool port_map_publish(struct span text, struct port_map *ret_map);

#endif
