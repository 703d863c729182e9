/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load for handshake.ts: a TLS server and a client, two processes on loopback, that make full handshakes one after another.
 *
 *   handshake-load CERTIFICATE KEY COUNT
 *
 * Prints the time of each handshake in nanoseconds, a line each: from connect() to the first byte that the server sends
 * when it has the client's Finished, so that both ends are done.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	ERR_print_errors_fp(stderr);
	exit(1);
}

static long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000L + now.tv_nsec;
}

static int open_socket(void)
{
	const int fd = socket(AF_INET, SOCK_STREAM, 0);
	const int on = 1;

	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0)
		die("socket");
	return fd;
}

static void serve(int listener, const char *certificate, const char *key)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());

	if (SSL_CTX_use_certificate_file(context, certificate, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
		die("certificate");
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	for (;;) {
		const int fd = accept(listener, NULL, NULL);
		SSL *ssl = SSL_new(context);
		char end;

		if (fd < 0)
			die("accept");
		SSL_set_fd(ssl, fd);
		if (SSL_accept(ssl) != 1 || SSL_write(ssl, "x", 1) != 1)
			die("SSL_accept");
		/* The client closes first: its end keeps the TIME_WAIT. */
		if (read(fd, &end, 1) < 0)
			die("read");
		SSL_free(ssl);
		close(fd);
	}
}

static long handshake(SSL_CTX *context, const struct sockaddr_in *server)
{
	const struct linger no_time_wait = { .l_onoff = 1, .l_linger = 0 };
	const int fd = open_socket();
	SSL *ssl = SSL_new(context);
	long took = now_ns();
	char first;

	if (connect(fd, (const struct sockaddr *)server, sizeof(*server)) != 0)
		die("connect");
	SSL_set_fd(ssl, fd);
	if (SSL_connect(ssl) != 1 || SSL_read(ssl, &first, 1) != 1)
		die("SSL_connect");
	took = now_ns() - took;
	shutdown(fd, SHUT_WR);
	/* When the server has closed, no port is left behind in TIME_WAIT. */
	while (read(fd, &first, 1) > 0)
		;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &no_time_wait, sizeof(no_time_wait));
	SSL_free(ssl);
	close(fd);
	return took;
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	const int listener = open_socket();
	SSL_CTX *context;
	pid_t server;

	if (argc != 4) {
		fprintf(stderr, "usage: handshake-load CERTIFICATE KEY COUNT\n");
		return 2;
	}
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(listener, 16) != 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &length) != 0)
		die("listen");
	server = fork();
	if (server == 0)
		serve(listener, argv[1], argv[2]);
	context = SSL_CTX_new(TLS_client_method());
	for (long left = atol(argv[3]); left > 0; left--)
		printf("%ld\n", handshake(context, &address));
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	return 0;
}
