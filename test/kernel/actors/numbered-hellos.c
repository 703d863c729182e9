/*
 * numbered-hellos FILE COUNT PAUSE_US [LOG]
 *
 * Makes COUNT connections to itself on 127.0.0.1, one after the other, and sends in each the ClientHello record of FILE
 * with its number, big-endian, as the first four bytes of the random. Both ends are closed at once, by RST, so that no
 * port stays taken. Writes `NUMBER BOOT_NS` to LOG before each send, and how many were sent to stdout at the end.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Record header, handshake header, version (RFC 8446 sections 5.1 and 4.1.2). */
#define RANDOM_AT (5 + 4 + 2)

static int fail(const char *what)
{
	perror(what);
	return 1;
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
	socklen_t size = sizeof(address);
	static unsigned char hello[65536];
	int listener, client, server, file;
	FILE *log = NULL;
	ssize_t length;

	if (argc < 4)
		return 2;
	file = open(argv[1], O_RDONLY);
	length = read(file, hello, sizeof(hello));
	if (length < RANDOM_AT + 4)
		return fail("read the hello");
	if (argc > 4 && !(log = fopen(argv[4], "w")))
		return fail("open the log");
	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 16) ||
	    getsockname(listener, (struct sockaddr *)&address, &size))
		return fail("listen");
	for (uint32_t number = 0; number < (uint32_t)atoi(argv[2]); number++) {
		uint32_t wire = htonl(number);

		memcpy(hello + RANDOM_AT, &wire, sizeof(wire));
		client = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(client, (struct sockaddr *)&address, size))
			return fail("connect");
		server = accept(listener, NULL, NULL);
		if (log) {
			struct timespec now;

			clock_gettime(CLOCK_BOOTTIME, &now);
			fprintf(log, "%u %lld%09ld\n", number, (long long)now.tv_sec, now.tv_nsec);
			fflush(log);
		}
		if (write(client, hello, length) != length)
			return fail("write");
		setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		close(client);
		close(server);
		if (atoi(argv[3]))
			usleep(atoi(argv[3]));
	}
	printf("%s\n", argv[2]);
	return 0;
}
