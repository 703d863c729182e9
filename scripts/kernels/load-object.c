// SPDX-License-Identifier: Apache-2.0
/*
 * load-object [--set NAME=NUMBER]... [--skip PROGRAM]... OBJECT
 *
 * Asks the running kernel's verifier about a BPF object, attaching nothing: for each program whether it loads and how
 * many instructions the verifier walked. Where the whole does not load, every program is tried alone, and the end of
 * the verifier's log is printed for each that fails. Exit 0 when the whole loads, 1 when it does not, 2 on misuse.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_WORDS = 32, LOG_SIZE = 16 << 20, LOG_TAIL_LINES = 50 };

/* linux/bpf_verifier.h: BPF_LOG_LEVEL1 traces, BPF_LOG_STATS only counts. */
enum { LOG_TRACE = 1, LOG_STATS = 4 };

static const char *sets[MAX_WORDS], *skips[MAX_WORDS];
static int set_count, skip_count;
static char libbpf_log[8192];

static int keep_log(enum libbpf_print_level level, const char *format, va_list args)
{
	size_t used = strlen(libbpf_log);

	if (level != LIBBPF_DEBUG && used < sizeof(libbpf_log) - 1)
		vsnprintf(libbpf_log + used, sizeof(libbpf_log) - used, format, args);
	return 0;
}

static int skipped(const char *name)
{
	for (int i = 0; i < skip_count; i++)
		if (!strcmp(skips[i], name))
			return 1;
	return 0;
}

/* Writes the number of `NAME=NUMBER` over the variable NAME of .rodata. */
static int set_tunable(struct bpf_object *object, const char *word)
{
	const char *equals = strchr(word, '=');
	struct btf *btf = bpf_object__btf(object);
	int section = btf__find_by_name_kind(btf, ".rodata", BTF_KIND_DATASEC);
	const struct btf_type *type = section > 0 ? btf__type_by_id(btf, section) : NULL;
	struct bpf_map *map = bpf_object__find_map_by_name(object, ".rodata");
	unsigned long long number;
	size_t size;
	char *data;

	/* libbpf names the map after the object: `tlsnap.rodata`. */
	bpf_object__for_each_map(map, object)
		if (strstr(bpf_map__name(map), ".rodata"))
			break;
	if (!equals || !type || !map)
		return -1;
	data = (char *)bpf_map__initial_value(map, &size);
	number = strtoull(equals + 1, NULL, 0);
	for (int i = 0; i < btf_vlen(type); i++) {
		const struct btf_var_secinfo *info = btf_var_secinfos(type) + i;
		const char *name = btf__name_by_offset(btf, btf__type_by_id(btf, info->type)->name_off);

		if (strlen(name) == (size_t)(equals - word) && !strncmp(name, word, equals - word)) {
			memcpy(data + info->offset, &number, info->size < sizeof(number) ? info->size : sizeof(number));
			return 0;
		}
	}
	return -1;
}

static void print_stats(const char *name, const char *log)
{
	const char *processed = strstr(log, "processed ");
	int length = processed ? (int)strcspn(processed, "\n") : 0;

	printf("  loads   %-32s %.*s\n", name, length, processed ? processed : "");
}

static void print_tail(const char *log)
{
	const char *start = log + strlen(log);

	for (int lines = 0; start > log && lines <= LOG_TAIL_LINES; start--)
		lines += start[-1] == '\n';
	printf("---- end of the verifier's log\n%s\n----\n", start);
}

/* Loads `only`; where it is NULL, all that the object itself does not leave out, but the skipped ones. */
static int load(const char *path, const char *only, int log_level)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *program;
	int error;

	if (!object) {
		printf("cannot open %s: %s\n%s", path, strerror(errno), libbpf_log);
		exit(2);
	}
	for (int i = 0; i < set_count; i++) {
		if (set_tunable(object, sets[i])) {
			printf("no such tunable: %s\n", sets[i]);
			exit(2);
		}
	}
	bpf_object__for_each_program(program, object) {
		const char *name = bpf_program__name(program);

		bpf_program__set_autoload(program, only ? !strcmp(name, only) : bpf_program__autoload(program) && !skipped(name));
		bpf_program__set_log_buf(program, calloc(1, LOG_SIZE), LOG_SIZE);
		bpf_program__set_log_level(program, log_level);
	}
	libbpf_log[0] = '\0';
	error = bpf_object__load(object);
	bpf_object__for_each_program(program, object) {
		size_t size;
		const char *log = bpf_program__log_buf(program, &size);

		if (!error && bpf_program__autoload(program))
			print_stats(bpf_program__name(program), log);
		if (error && only && log_level == LOG_TRACE && !strcmp(bpf_program__name(program), only)) {
			printf("  FAILS   %-32s %s\n%s", only, strerror(-error), libbpf_log);
			print_tail(log);
		}
		free((void *)log);
	}
	bpf_object__close(object);
	return error;
}

static void load_each(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *program;

	bpf_object__for_each_program(program, object) {
		const char *name = bpf_program__name(program);

		if (!skipped(name) && load(path, name, LOG_STATS))
			load(path, name, LOG_TRACE);
	}
	bpf_object__close(object);
}

int main(int argc, char **argv)
{
	const char *path = NULL;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--set") && i + 1 < argc && set_count < MAX_WORDS)
			sets[set_count++] = argv[++i];
		else if (!strcmp(argv[i], "--skip") && i + 1 < argc && skip_count < MAX_WORDS)
			skips[skip_count++] = argv[++i];
		else
			path = argv[i];
	}
	if (!path) {
		fprintf(stderr, "usage: load-object [--set NAME=NUMBER]... [--skip PROGRAM]... OBJECT\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	libbpf_set_print(keep_log);
	if (!load(path, NULL, LOG_STATS)) {
		printf("the object loads\n");
		return 0;
	}
	printf("THE OBJECT DOES NOT LOAD\n%s", libbpf_log);
	load_each(path);
	return 1;
}
