/*
 * hello-client PORT FILE [MILLISECONDS]
 * hello-client fd:NUMBER FILE [MILLISECONDS]
 *
 * Connects to 127.0.0.1 (or takes an open connection), sends what is in FILE, and exits: at once, or after a while.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_in server = { .sin_family = AF_INET };
	static char hello[65536];
	ssize_t length;
	int fd, file;

	if (argc < 3)
		return 2;
	file = open(argv[2], O_RDONLY);
	length = read(file, hello, sizeof(hello));
	if (strncmp(argv[1], "fd:", 3) == 0) {
		fd = atoi(argv[1] + 3);
	} else {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		server.sin_port = htons(atoi(argv[1]));
		server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		if (connect(fd, (struct sockaddr *)&server, sizeof(server)))
			return 3;
	}
	if (length <= 0 || write(fd, hello, length) != length)
		return 4;
	if (argc > 3)
		usleep(atoi(argv[3]) * 1000);
	return 7;
}
