/*
 * without-links RENAMES COMMAND [ARGUMENT...]
 *
 * Runs a command to which the kernel says that its file system has no hard links, as FAT has none, and, where RENAMES is
 * `no`, that it cannot rename either.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REFUSE(number, error) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))

int main(int argc, char **argv)
{
	struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
#ifdef __NR_link
		REFUSE(__NR_link, EPERM),
#endif
		REFUSE(__NR_linkat, EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_filter renames[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
#ifdef __NR_rename
		REFUSE(__NR_rename, EIO),
#endif
#ifdef __NR_renameat
		REFUSE(__NR_renameat, EIO),
#endif
		REFUSE(__NR_renameat2, EIO),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog links = { .len = sizeof(rules) / sizeof(*rules), .filter = rules };
	struct sock_fprog both = { .len = sizeof(renames) / sizeof(*renames), .filter = renames };

	if (argc < 3 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &links))
		return 2;
	if (strcmp(argv[1], "no") == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &both))
		return 2;
	execvp(argv[2], argv + 2);
	return 3;
}
