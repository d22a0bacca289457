// SPDX-License-Identifier: GPL-2.0
/*
 * kvm-cases: the host's side of every case, in one program.
 *
 * Exit status: 0 when what was asked for was said (a case's fate is in its end
 * line), 2 for wrong usage or when not even a process could be made.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "case.h"
#include "facts.h"
#include "program.h"
#include "settle.h"
#include "supervise.h"

/* For a case, and for all that --facts tries. */
#define CASE_TIMEOUT_MS		60000
#define FACTS_TIMEOUT_MS	5000

extern const struct kvm_case *const __start_kvm_cases[];
extern const struct kvm_case *const __stop_kvm_cases[];

static const char *variant;

const char *case_variant(void)
{
	return variant;
}

static int by_name(const void *a, const void *b)
{
	const struct kvm_case *const *left = a, *const *right = b;

	return strcmp((*left)->name, (*right)->name);
}

static int list(void)
{
	size_t n = (size_t)(__stop_kvm_cases - __start_kvm_cases);
	const struct kvm_case **sorted = calloc(n, sizeof(*sorted));

	if (!sorted)
		return 2;
	memcpy(sorted, __start_kvm_cases, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), by_name);
	for (size_t i = 0; i < n; i++)
		printf("{\"case\":\"%s\"}\n", sorted[i]->name);
	free(sorted);
	return fflush(stdout) ? 2 : 0;
}

/* "gmem/bind@npt0" is the case gmem/bind. */
static const struct kvm_case *find(const char *name)
{
	size_t len = strcspn(name, "@");

	for (const struct kvm_case *const *c = __start_kvm_cases;
	     c < __stop_kvm_cases; c++)
		if (strlen((*c)->name) == len && !strncmp((*c)->name, name, len))
			return *c;
	return NULL;
}

/* The name goes into JSON and into the kernel log as it is. */
static bool well_formed(const char *name)
{
	return strspn(name, "abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "0123456789-_./@=,:+") == strlen(name) &&
	       strlen(name) <= 128;
}

static bool number(const char *text, u64 *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 0);
	return !errno && end != text && !*end && text[0] != '-';
}

/* With --exec: the case is a program of its own. */
static char *const *program;

static void run_program(void)
{
	program_run(program);
}

static int usage(void)
{
	fputs("usage: kvm-cases [--seed N] [--timeout MS] [--id ID] TOPIC/NAME[@VARIANT]\n"
	      "       kvm-cases [--timeout MS] [--id ID] --exec -- TOPIC/NAME PROGRAM [ARGUMENT...]\n"
	      "       kvm-cases --list | --facts [--timeout MS] | --tsc-khz | --settle\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "list", no_argument, NULL, 'l' },
		{ "facts", no_argument, NULL, 'f' },
		{ "tsc-khz", no_argument, NULL, 'k' },
		{ "settle", no_argument, NULL, 'w' },
		{ "seed", required_argument, NULL, 's' },
		{ "timeout", required_argument, NULL, 't' },
		{ "id", required_argument, NULL, 'i' },
		{ "exec", no_argument, NULL, 'e' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct case_options opt = { .id = "-" };
	struct kvm_case foreign = { .run = run_program };
	const struct kvm_case *c;
	bool seeded = false, facts = false, exec = false;
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (o) {
		case 'l':
			return list();
		case 'f':
			facts = true;
			break;
		case 'k':
			return tsc_khz_print();
		case 'w':
			return settle_print();
		case 's':
			if (!number(optarg, &opt.seed))
				return usage();
			seeded = true;
			break;
		case 't':
			if (!number(optarg, &opt.timeout_ms) || !opt.timeout_ms ||
			    opt.timeout_ms > 86400000)
				return usage();
			break;
		case 'i':
			if (!well_formed(optarg))
				return usage();
			opt.id = optarg;
			break;
		case 'e':
			exec = true;
			break;
		default:
			return usage();
		}
	}
	if (facts)
		return optind == argc ? facts_print(opt.timeout_ms ?: FACTS_TIMEOUT_MS) :
					usage();
	if (exec ? optind + 2 > argc : optind + 1 != argc)
		return usage();
	if (!well_formed(argv[optind]))
		return usage();
	if (!opt.timeout_ms)
		opt.timeout_ms = CASE_TIMEOUT_MS;
	opt.name = argv[optind];
	program = &argv[optind + 1];
	foreign.name = opt.name;
	c = exec ? &foreign : find(opt.name);
	if (!c) {
		fprintf(stderr, "kvm-cases: no case named %s (see --list)\n", opt.name);
		return 2;
	}
	variant = strchr(opt.name, '@');
	if (variant)
		variant++;
	if (!seeded && getrandom(&opt.seed, sizeof(opt.seed), 0) < 0)
		opt.seed = 1;
	return supervise(c, &opt);
}
