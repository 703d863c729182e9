// SPDX-License-Identifier: Apache-2.0
/*
 * The executable of the bundle, twice: as `tlsnap` it runs the command line, as `runtime/node` it is plain Node, which
 * tlsnap starts processes of its own with. It starts the bundle's own loader on the bundle's own Node and libraries.
 *
 * It is static and without a C library, because on a suspect host neither a shell nor any library is to be trusted:
 * nothing of the host's loader (its cache, LD_PRELOAD, ld.so.preload) touches it, or, with the environment below
 * taken out, what it starts.
 */

enum { PATH_SIZE = 4096, EXIT_FAILED = 70 };

#if defined(__x86_64__)
#define LOADER "/lib/ld-linux-x86-64.so.2"
enum { SYS_WRITE = 1, SYS_EXECVE = 59, SYS_EXIT = 60, SYS_READLINK = 89 };

static long syscall3(long number, long a, long b, long c)
{
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return result;
}

static long read_link(const char *path, char *out, long size)
{
	return syscall3(SYS_READLINK, (long)path, (long)out, size);
}

__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall launch\n");
#else
#error "the launcher knows x86-64 only"
#endif

/* Taken out of the environment: names, or beginnings of names, that steer the loader, the C library or Node. */
static const char *const steering[] = {
	"LD_", "NODE_", "GLIBC_TUNABLES=", "GCONV_PATH=", "LOCPATH=", "MALLOC_", "OPENSSL_", "SSL_CERT_", "UV_", "ICU_", 0,
};

static long length_of(const char *text)
{
	long length = 0;

	while (text[length])
		length++;
	return length;
}

static int starts_with(const char *text, const char *start)
{
	while (*start)
		if (*text++ != *start++)
			return 0;
	return 1;
}

static char *join(char *out, const char *left, const char *right)
{
	char *end = out;

	while (*left)
		*end++ = *left++;
	while ((*end++ = *right++))
		;
	return out;
}

static _Noreturn void fail(const char *what)
{
	syscall3(SYS_WRITE, 2, (long)"tlsnap: the bundle does not start: ", 35);
	syscall3(SYS_WRITE, 2, (long)what, length_of(what));
	syscall3(SYS_WRITE, 2, (long)"\n", 1);
	for (;;)
		syscall3(SYS_EXIT, EXIT_FAILED, 0, 0);
}

/* Cuts the last part off `path` and returns it. */
static const char *cut_name(char *path)
{
	long at = length_of(path);

	while (at > 0 && path[at] != '/')
		at--;
	path[at] = '\0';
	return path + at + 1;
}

static int is_steering(const char *variable)
{
	for (int i = 0; steering[i]; i++)
		if (starts_with(variable, steering[i]))
			return 1;
	return 0;
}

/* `stack` is as the kernel lays it out: argc, argv, 0, environment, 0. */
__attribute__((used)) _Noreturn void launch(long *stack)
{
	static char root[PATH_SIZE], loader[PATH_SIZE + 64], libraries[PATH_SIZE + 64], node[PATH_SIZE + 64],
		script[PATH_SIZE + 64], configuration[PATH_SIZE + 64], variable[PATH_SIZE + 80];
	long argc = stack[0], count = 0, has_home = 0, has_shell = 0;
	char **argv = (char **)(stack + 1), **environment = argv + argc + 1;
	const char *arguments[argc + 16];
	long length = read_link("/proc/self/exe", root, sizeof(root) - 1);

	if (length <= 0 || length >= PATH_SIZE - 1)
		fail("/proc/self/exe cannot be read: is /proc mounted?");
	root[length] = '\0';
	int as_node = starts_with(cut_name(root), "node");

	if (!as_node) {
		join(script, root, "/app/bin/bundled.js");
		join(root, root, "/runtime");
	}
	/* In the place of the host's /etc/ssl/openssl.cnf, which may name a library to load. */
	join(variable, "OPENSSL_CONF=", join(configuration, root, "/openssl.cnf"));
	arguments[count++] = join(loader, root, LOADER);
	arguments[count++] = "--inhibit-cache";
	arguments[count++] = "--library-path";
	arguments[count++] = join(libraries, root, "/lib");
	arguments[count++] = "--argv0";
	arguments[count++] = as_node ? "node" : "tlsnap";
	arguments[count++] = join(node, root, "/node.bin");
	if (!as_node)
		arguments[count++] = script;
	for (long i = 1; i < argc; i++)
		arguments[count++] = argv[i];
	arguments[count] = 0;

	long kept = 0, all = 0;

	while (environment[all])
		all++;
	const char *clean[all + 4];

	for (long i = 0; i < all; i++) {
		has_home |= starts_with(environment[i], "HOME=");
		has_shell |= starts_with(environment[i], "SHELL=");
		/* What tlsnap starts inherits a clean environment, and needs what Node itself puts there (NODE_CHANNEL_FD). */
		if (as_node || !is_steering(environment[i]))
			clean[kept++] = environment[i];
	}
	/* Without them Node looks for the user in /etc/passwd, which may not be there. */
	if (!has_home)
		clean[kept++] = "HOME=/";
	if (!has_shell)
		clean[kept++] = "SHELL=/bin/sh";
	clean[kept++] = variable;
	clean[kept] = 0;

	syscall3(SYS_EXECVE, (long)loader, (long)arguments, (long)clean);
	fail(loader);
}
