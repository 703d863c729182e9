/*
 * run-with-pid PROGRAM PROGRAM [ARGUMENT...]
 *
 * Runs the first program with the arguments, waits for its end, and runs the second under the very same pid, which
 * clone3(2) with set_tid gives it. Prints that pid.
 */
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t run(const char *program, char **arguments, pid_t wanted)
{
	struct clone_args how = { .exit_signal = SIGCHLD };
	pid_t pid;

	if (wanted) {
		how.set_tid = (uintptr_t)&wanted;
		how.set_tid_size = 1;
	}
	pid = syscall(SYS_clone3, &how, sizeof(how));
	if (pid == 0) {
		execv(program, arguments);
		_exit(127);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
	else
		fprintf(stderr, "clone3: %s\n", strerror(errno));
	return pid;
}

int main(int argc, char **argv)
{
	char *first = argv[1], *second = argv[2];
	pid_t pid;

	if (argc < 3)
		return 2;
	argv[2] = first;
	pid = run(first, argv + 2, 0);
	argv[2] = second;
	if (pid < 0 || run(second, argv + 2, pid) != pid)
		return 1;
	printf("%d\n", pid);
	return 0;
}
