/* SPDX-License-Identifier: Apache-2.0 */
/* doctor.c - `sluice doctor`: what this kernel and machine can do */
#include <string.h>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/judge.h"
#include "cli/print.h"
#include "jail/jail.h"
#include "policy/proxy_url.h"

#define ABILITIES_MAX 32
#define JSON_BYTES_MAX (64u << 10)	/* ABILITIES_MAX short objects */

static bool all_required_work(const struct ability *a, size_t count)
{
	bool work = true;

	for (size_t i = 0; i < count; i++)
		work = work && (a[i].works || !a[i].required);
	return work;
}

static void print_text(const struct ability *a, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *word = a[i].works ? "ok" : a[i].required ? "missing" : "absent";
		enum colour c = a[i].works ? COLOUR_GOOD : a[i].required ? COLOUR_BAD : COLOUR_WAIT;

		printf("%s%-8s%s %-15s ", print_colour(stdout, c), word,
		       print_colour(stdout, COLOUR_PLAIN), a[i].name);
		print_safe(stdout, span_str(a[i].why));
		putchar('\n');
	}
	puts(all_required_work(a, count) ? "sluice run works here."
					 : "sluice run can't work here: see what is missing.");
}

/* Return: false if memory is out */
static bool print_json(const struct ability *a, size_t count)
{
	struct buf b = buf_new(JSON_BYTES_MAX);
	bool whole;

	json_open(&b, '{');
	json_field_bool(&b, "ok", all_required_work(a, count));
	json_key(&b, "abilities");
	json_open(&b, '[');
	for (size_t i = 0; i < count; i++) {
		json_open(&b, '{');
		json_field_str(&b, "name", a[i].name);
		json_field_bool(&b, "works", a[i].works);
		json_field_bool(&b, "required", a[i].required);
		json_field_str(&b, "why", a[i].why);
		json_close(&b, '}');
	}
	json_close(&b, ']');
	json_close(&b, '}');
	whole = !b.full;
	if (whole)
		printf(SPAN_FMT "\n", SPAN_ARG(buf_span(&b)));
	buf_done(&b);
	return whole;
}

/* The host's proxy, if a variable names one: run goes through it, or fails.  Return: rows */
static size_t proxy_ability(struct ability *a)
{
	char text[PROXY_TEXT_MAX];
	const char *value, *variable = host_proxy(&value), *why;
	struct proxy_url u;

	if (!variable)
		return 0;
	*a = (struct ability){ .name = "proxy", .required = true };
	a->works = host_proxy_parse(span_str(value), &u, &why);
	if (a->works)
		snprintf(a->why, sizeof(a->why), "%s: run connects through %.100s unless a policy "
			 "says upstream_proxy", variable, proxy_url_text(&u, text));
	else
		snprintf(a->why, sizeof(a->why), "%s names a proxy %s (unset it, or set "
			 "upstream_proxy)", variable, why);
	return 1;
}

int doctor_main(int argc, char **argv)
{
	struct ability a[ABILITIES_MAX];
	const char *format = "text";
	const struct option rows[] = {
		{ 0, "format", OPTION_TEXT, "FORMAT", "text | json", &format },
		{ .name = NULL },
	};
	struct err err = { "" };
	bool help = false;
	size_t count;
	int rest;

	if (!options_parse(argc, argv, rows, &rest, &help, &err))
		return complain(&err);
	if (help)
		return command_help("doctor", rows);
	if (rest < argc || (strcmp(format, "text") != 0 && strcmp(format, "json") != 0)) {
		err_set(&err, "doctor: takes --format text or json, and no operand");
		return complain(&err);
	}
	count = jail_abilities(a, ABILITIES_MAX - 1);
	count += proxy_ability(&a[count]);
	count += engine_abilities(&a[count], ABILITIES_MAX - count);
	if (!strcmp(format, "text"))
		print_text(a, count);
	else if (!print_json(a, count))
		return EXIT_SLUICE;
	return all_required_work(a, count) ? 0 : 1;
}
