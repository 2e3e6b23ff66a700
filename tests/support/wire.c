/*
 * NAME
 *	wire - a client connection with blocking calls and a time limit
 */

#include "wire.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "clock.h"
#include "loopback.h"

#define MICROSECONDS 1e6

/* Seconds to pause after a failed connect(), when ports or descriptors are exhausted. */
#define PAUSE 0.05

static struct {
	struct sockaddr_in address;
	struct timeval patience;
} server;

void
wire_prepare(unsigned port, double patience)
{
	server.address = loopback_address(port);
	server.patience.tv_sec = (time_t)patience;
	server.patience.tv_usec =
	    (suseconds_t)((patience - (double)server.patience.tv_sec) * MICROSECONDS);
}

bool
wire_open(struct wire *wire)
{
	wire->start = wire->end = 0;
	wire->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (wire->socket == -1) {
		clock_sleep(PAUSE);
		return false;
	}
	setsockopt(wire->socket, SOL_SOCKET, SO_RCVTIMEO, &server.patience, sizeof server.patience);
	setsockopt(wire->socket, SOL_SOCKET, SO_SNDTIMEO, &server.patience, sizeof server.patience);
	if (connect(wire->socket, (const struct sockaddr *)&server.address,
		sizeof server.address) == -1) {
		close(wire->socket);
		clock_sleep(PAUSE);
		return false;
	}
	return true;
}

bool
wire_send(struct wire *wire, const void *bytes, size_t length)
{
	const char *rest = bytes;

	while (length > 0) {
		ssize_t sent = send(wire->socket, rest, length, MSG_NOSIGNAL);

		if (sent > 0) {
			rest += sent;
			length -= (size_t)sent;
		} else if (errno != EINTR) {
			return false;
		}
	}
	return true;
}

bool
wire_send_text(struct wire *wire, const char *text)
{
	return wire_send(wire, text, strlen(text));
}

/* Receive more bytes after those in the buffer. WIRE_LINE means some bytes, not a whole line. */
static enum wire_line
receive_more(struct wire *wire)
{
	ssize_t length;

	memmove(wire->received, wire->received + wire->start, wire->end - wire->start);
	wire->end -= wire->start;
	wire->start = 0;
	do {
		length = recv(
		    wire->socket, wire->received + wire->end, sizeof wire->received - wire->end, 0);
	} while (length == -1 && errno == EINTR);
	if (length > 0) {
		wire->end += (size_t)length;
		return WIRE_LINE;
	}
	if (length == 0) {
		return WIRE_END;
	}
	return errno == EAGAIN || errno == EWOULDBLOCK ? WIRE_TIMEOUT : WIRE_BROKEN;
}

enum wire_line
wire_receive(struct wire *wire, char line[static WIRE_LINE_SIZE])
{
	enum wire_line got = WIRE_LINE;

	while (got == WIRE_LINE) {
		const char *start = wire->received + wire->start;
		const char *end = memchr(start, '\n', wire->end - wire->start);
		size_t length = end != NULL ? (size_t)(end - start) : 0;

		if (length > WIRE_LINE_SIZE || (end != NULL && (length == 0 || end[-1] != '\r'))) {
			return WIRE_BROKEN;
		}
		if (end != NULL) {
			memcpy(line, start, length - 1);
			line[length - 1] = '\0';
			wire->start += length + 1;
			return WIRE_LINE;
		}
		got = receive_more(wire);
	}
	return got;
}

bool
wire_drain(struct wire *wire)
{
	enum wire_line got;

	do {
		wire->start = wire->end;
		got = receive_more(wire);
	} while (got == WIRE_LINE);
	return got != WIRE_TIMEOUT;
}

void
wire_close(struct wire *wire)
{
	close(wire->socket);
}

void
wire_reset(struct wire *wire)
{
	const struct linger linger = {.l_onoff = 1, .l_linger = 0};

	setsockopt(wire->socket, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	close(wire->socket);
}
