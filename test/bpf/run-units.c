// SPDX-License-Identifier: Apache-2.0
/*
 * run-units [--repeat N] OBJECT PROGRAM
 *
 * Runs one program of units.bpf.o by BPF_PROG_TEST_RUN on each line of stdin: a packet's bytes in hexadecimal, without
 * its header (TLSNAP_UNIT_HEADER). For each it prints a line of four or, with --repeat, five words:
 *
 *   what the program returned, the string, its MD5, its SHA-256, nanoseconds of one run as the kernel measured them
 *
 * The string and the digests, in hexadecimal, are what the scratch map of this CPU holds then. Before each input that map
 * is filled with 0xa5: a digest of nothing but `a5` was not made, and what the programs find there is never zero by luck.
 *
 * Exit 0 when all were run, 1 when the object does not load or the kernel refuses to run it, 2 on misuse.
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER = 15, INPUT_MAX = 3072, LINE_MAX_LENGTH = 2 * INPUT_MAX + 2, POISON = 0xa5 };

/* Where a member of struct tlsnap_scratch lies, as the object's BTF says. */
struct member {
	size_t offset, size;
};

struct units {
	int program, scratch, cpu, cpus;
	size_t stride; /* of one CPU's value */
	unsigned char *poison, *values;
	struct member length, string, md5, sha256;
};

static void fail(int status, const char *what, int error)
{
	fprintf(stderr, "run-units: %s: %s\n", what, strerror(error < 0 ? -error : error));
	exit(status);
}

static struct member find_member(const struct btf *btf, const char *name)
{
	int id = btf__find_by_name_kind(btf, "tlsnap_scratch", BTF_KIND_STRUCT);
	const struct btf_type *type = id > 0 ? btf__type_by_id(btf, id) : NULL;
	const struct btf_member *member = type ? btf_members(type) : NULL;

	for (int i = 0; type && i < btf_vlen(type); i++)
		if (!strcmp(btf__name_by_offset(btf, member[i].name_off), name))
			return (struct member){ btf_member_bit_offset(type, i) / 8,
						btf__resolve_size(btf, member[i].type) };
	fail(1, name, ENOENT);
	abort();
}

/* test_run stays on the CPU of the caller, and so the scratch memory that it leaves is that CPU's. */
static int stay_here(void)
{
	cpu_set_t set;
	int cpu = sched_getcpu();

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (cpu < 0 || sched_setaffinity(0, sizeof(set), &set))
		fail(1, "staying on one CPU", errno);
	return cpu;
}

static struct units load(const char *path, const char *name)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct units units = { .cpu = stay_here(), .cpus = libbpf_num_possible_cpus() };
	struct bpf_program *program;
	struct bpf_map *map;
	int error;

	if (!object)
		fail(1, path, errno);
	if (!bpf_object__find_program_by_name(object, name))
		fail(2, name, ENOENT);
	bpf_object__for_each_program(program, object)
		bpf_program__set_autoload(program, !strcmp(bpf_program__name(program), name));
	error = bpf_object__load(object);
	if (error)
		fail(1, path, error);
	map = bpf_object__find_map_by_name(object, "scratch");
	units.program = bpf_program__fd(bpf_object__find_program_by_name(object, name));
	units.scratch = bpf_map__fd(map);
	units.stride = (bpf_map__value_size(map) + 7) & ~7UL;
	units.values = malloc(units.stride * units.cpus);
	units.poison = malloc(units.stride * units.cpus);
	memset(units.poison, POISON, units.stride * units.cpus);
	units.length = find_member(bpf_object__btf(object), "length");
	units.string = find_member(bpf_object__btf(object), "string");
	units.md5 = find_member(bpf_object__btf(object), "md5");
	units.sha256 = find_member(bpf_object__btf(object), "sha256");
	return units;
}

static int digit_value(char digit)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = digit ? strchr(digits, digit) : NULL;

	if (!found)
		fail(2, "a line that is not of pairs of lowercase hexadecimal digits", EINVAL);
	return found - digits;
}

/* The bytes of a line of hexadecimal digits behind a header of zeros; how many in all. */
static int read_packet(const char *line, unsigned char *packet)
{
	int length = strcspn(line, "\r\n") / 2;

	memset(packet, 0, HEADER);
	for (int i = 0; i < length; i++)
		packet[HEADER + i] = digit_value(line[2 * i]) << 4 | digit_value(line[2 * i + 1]);
	return HEADER + length;
}

/* An empty string is a dash, so that a line always has as many words. */
static void print_hex(const unsigned char *bytes, size_t length)
{
	putchar(' ');
	if (length == 0)
		putchar('-');
	for (size_t i = 0; i < length; i++) {
		putchar_unlocked("0123456789abcdef"[bytes[i] >> 4]);
		putchar_unlocked("0123456789abcdef"[bytes[i] & 15]);
	}
}

/* MD5's words are kept in its own byte order, this CPU's; SHA-256's in that of the CPU, and are printed most significant first. */
static void print_sha256(const unsigned char *bytes, size_t size)
{
	unsigned int word;

	putchar(' ');
	for (size_t i = 0; i < size; i += sizeof(word)) {
		memcpy(&word, bytes + i, sizeof(word));
		printf("%08x", word);
	}
}

static void run(const struct units *units, unsigned char *packet, int size, int repeat)
{
	const unsigned char *memory = units->values + units->stride * units->cpu;
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = size, .repeat = repeat ? repeat : 1);
	unsigned int key = 0, length;
	int error;

	if (bpf_map_update_elem(units->scratch, &key, units->poison, BPF_ANY))
		fail(1, "filling the scratch map", errno);
	error = bpf_prog_test_run_opts(units->program, &options);
	if (error)
		fail(1, "BPF_PROG_TEST_RUN", error);
	if (bpf_map_lookup_elem(units->scratch, &key, units->values))
		fail(1, "reading the scratch map", errno);
	memcpy(&length, memory + units->length.offset, sizeof(length));
	printf("%d", (int)options.retval);
	print_hex(memory + units->string.offset, length < units->string.size ? length : 0);
	print_hex(memory + units->md5.offset, units->md5.size);
	print_sha256(memory + units->sha256.offset, units->sha256.size);
	if (repeat)
		printf(" %u", options.duration);
	putchar('\n');
}

int main(int argc, char **argv)
{
	static unsigned char packet[HEADER + INPUT_MAX];
	static char line[LINE_MAX_LENGTH];
	int repeat = 0, first = 1;
	struct units units;

	if (argc == 5 && !strcmp(argv[1], "--repeat")) {
		repeat = atoi(argv[2]);
		first = 3;
	}
	if (argc - first != 2 || (first == 3 && repeat < 1)) {
		fprintf(stderr, "usage: run-units [--repeat N] OBJECT PROGRAM\n");
		return 2;
	}
	units = load(argv[first], argv[first + 1]);
	while (fgets(line, sizeof(line), stdin)) {
		if (!strchr(line, '\n'))
			fail(2, "a packet on stdin", EMSGSIZE);
		run(&units, packet, read_packet(line, packet), repeat);
		if (repeat)
			fflush(stdout); /* a benchmark takes turns between programs, and waits for each answer */
	}
	return 0;
}
