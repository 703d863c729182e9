// SPDX-License-Identifier: Apache-2.0
/*
 * Load for connections.ts: many connections on loopback, each with a ClientHello there and a ServerHello back, which are
 * sent as they are, without a TLS library behind them: what its arithmetic costs would only hide what is measured.
 *
 *   connections-load rate COUNT PER_SECOND CLIENT_HELLO SERVER_HELLO
 *   connections-load hold COUNT SECONDS TURNS_PER_SECOND CLIENT_HELLO SERVER_HELLO
 *
 * `rate` opens COUNT connections at that rate, one after the other, and resets each when the answer is there. Both ends do
 * so with as few system calls as there can be: processors that the load takes are not there for what is measured. `hold`
 * opens COUNT connections as fast as it goes, prints a line, keeps them for SECONDS, during which PER_SECOND bytes there and
 * back go round among them, and ends. The hellos are records in hexadecimal. Both ends run in processes of this one's; a
 * connection that is held gets a source address of its own for each 20,000.
 *
 * Prints as numbers, a line each: connections made, nanoseconds that took (and for hold, after the wait: turns made).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

enum { PER_ADDRESS = 20000, EVENTS = 512, HELLO_MAX = 4096, IN_FLIGHT = 512 };

static unsigned char client_hello[HELLO_MAX], server_hello[HELLO_MAX];
static size_t client_length, server_length;
static struct sockaddr_in server = { .sin_family = AF_INET };

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static size_t read_hex(const char *text, unsigned char *out)
{
	size_t length = strlen(text) / 2;

	if (length == 0 || length > HELLO_MAX)
		exit(2);
	for (size_t i = 0; i < length; i++)
		if (sscanf(text + 2 * i, "%2hhx", out + i) != 1)
			exit(2);
	return length;
}

static void watch(int poll, int fd, unsigned int events, int operation)
{
	struct epoll_event event = { .events = events, .data.fd = fd };

	if (epoll_ctl(poll, operation, fd, &event))
		die("epoll_ctl");
}

/* Answers each connection in turn, and closes it when it must long have been reset by the other end. */
static void serve_in_turn(int listener)
{
	static int answered[2 * IN_FLIGHT];
	char room[HELLO_MAX];

	for (unsigned long number = 0;; number++) {
		int *slot = &answered[number % (2 * IN_FLIGHT)];

		if (*slot)
			close(*slot);
		*slot = accept4(listener, NULL, NULL, 0);
		if (*slot < 0)
			die("accept");
		if (read(*slot, room, sizeof(room)) > 0 && write(*slot, server_hello, server_length) < 0)
			die("answer");
	}
}

/* Answers the first bytes of a connection with the ServerHello, and all later ones with as many. */
static void serve(int listener)
{
	int poll = epoll_create1(0);
	unsigned char *greeted = calloc(1 << 20, 1);
	struct epoll_event events[EVENTS];
	char room[HELLO_MAX];

	watch(poll, listener, EPOLLIN, EPOLL_CTL_ADD);
	for (;;) {
		int count = epoll_wait(poll, events, EVENTS, -1);

		for (int i = 0; i < count; i++) {
			int fd = events[i].data.fd;
			ssize_t length;

			if (fd == listener) {
				while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
					greeted[fd] = 0;
					watch(poll, fd, EPOLLIN, EPOLL_CTL_ADD);
				}
				continue;
			}
			length = read(fd, room, sizeof(room));
			if (length <= 0) {
				close(fd);
			} else if (greeted[fd]) {
				if (write(fd, room, length) < 0)
					close(fd);
			} else {
				greeted[fd] = 1;
				if (write(fd, server_hello, server_length) < 0)
					close(fd);
			}
		}
	}
}

static void say_made(long connections, long long ns)
{
	printf("%ld\n%lld\n", connections, ns);
	fflush(stdout);
}

/* A connection on its way, from a source address that has ports left. */
static int begin(long number)
{
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f010001 + number / PER_ADDRESS % 4096) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int on = 1;

	if (fd < 0)
		die("socket");
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)))
		die("bind");
	if (connect(fd, (struct sockaddr *)&server, sizeof(server)) && errno != EINPROGRESS)
		die("connect");
	return fd;
}

/* Closes at once, by RST: nothing waits for the port. */
static void reset(int fd)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

/* On loopback a connection stands when connect() returns, so that the hello can follow at once. */
static int greet(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		die("socket");
	if (connect(fd, (struct sockaddr *)&server, sizeof(server)))
		die("connect");
	if (write(fd, client_hello, client_length) != (ssize_t)client_length)
		die("send the hello");
	return fd;
}

/* Makes `count` connections, at most `per_second`, and resets each when its answer is there. */
static void make_at_rate(long count, long per_second)
{
	static int greeted[IN_FLIGHT];
	long begun = 0, done = 0;
	long long start = now_ns();
	char room[HELLO_MAX];

	while (done < count) {
		long due = (now_ns() - start) * per_second / 1000000000LL;

		while (begun < count && begun < due && begun - done < IN_FLIGHT) {
			greeted[begun % IN_FLIGHT] = greet();
			begun++;
		}
		if (begun == done) {
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
			continue;
		}
		if (read(greeted[done % IN_FLIGHT], room, sizeof(room)) <= 0)
			die("read the answer");
		reset(greeted[done % IN_FLIGHT]);
		done++;
	}
	say_made(done, now_ns() - start);
}

/* Opens `count` connections as fast as it goes, waits for each answer, and keeps them in `kept`. */
static void open_all(long count, int *kept)
{
	int poll = epoll_create1(0), in_flight = 0;
	long begun = 0, done = 0;
	long long start = now_ns();
	struct epoll_event events[EVENTS];
	char room[HELLO_MAX];

	while (done < count) {
		int ready;

		for (; begun < count && in_flight < IN_FLIGHT; in_flight++)
			watch(poll, begin(begun++), EPOLLOUT, EPOLL_CTL_ADD);
		ready = epoll_wait(poll, events, EVENTS, -1);
		for (int i = 0; i < ready; i++) {
			int fd = events[i].data.fd;

			if (events[i].events & (EPOLLERR | EPOLLHUP))
				die("a connection failed");
			if (events[i].events & EPOLLOUT) {
				if (write(fd, client_hello, client_length) != (ssize_t)client_length)
					die("send the hello");
				watch(poll, fd, EPOLLIN, EPOLL_CTL_MOD);
				continue;
			}
			if (read(fd, room, sizeof(room)) <= 0)
				die("read the answer");
			watch(poll, fd, 0, EPOLL_CTL_DEL);
			in_flight--;
			kept[done++] = fd;
		}
	}
	close(poll);
	say_made(done, now_ns() - start);
}

static void hold(long count, long seconds, long rate)
{
	int *kept = calloc(count, sizeof(*kept));
	long turns = 0;
	long long start;
	char byte = 'x';

	open_all(count, kept);
	start = now_ns();
	while (now_ns() - start < seconds * 1000000000LL) {
		long due = (now_ns() - start) * rate / 1000000000LL;
		struct timespec pause = { .tv_nsec = 2000000 };

		for (; turns < due; turns++)
			if (write(kept[turns % count], &byte, 1) != 1)
				die("talk");
		nanosleep(&pause, NULL);
	}
	printf("%ld\n", turns);
}

int main(int argc, char **argv)
{
	int is_hold = argc == 7 && !strcmp(argv[1], "hold");
	int listener = socket(AF_INET, SOCK_STREAM | (is_hold ? SOCK_NONBLOCK : 0), 0);
	struct rlimit files;
	socklen_t length = sizeof(server);
	pid_t child;

	if (!is_hold && (argc != 6 || strcmp(argv[1], "rate"))) {
		fprintf(stderr, "see the head of connections-load.c\n");
		return 2;
	}
	client_length = read_hex(argv[argc - 2], client_hello);
	server_length = read_hex(argv[argc - 1], server_hello);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files))
		die("setrlimit");
	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listener, (struct sockaddr *)&server, sizeof(server)) || listen(listener, 4096) ||
	    getsockname(listener, (struct sockaddr *)&server, &length))
		die("listen");
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		(is_hold ? serve : serve_in_turn)(listener);
	}
	close(listener);
	if (is_hold)
		hold(atol(argv[2]), atol(argv[3]), atol(argv[4]));
	else
		make_at_rate(atol(argv[2]), atol(argv[3]));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return 0;
}
