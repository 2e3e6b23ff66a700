/*
 * NAME
 *	mail - messages for a mailbox, and its expected content
 *
 * DESCRIPTION
 *	A message of a range comes from the client `host.N`, where N is its number. So no two
 *	records are alike.
 */

#include "mail.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "files.h"
#include "suite.h"

#define HOST_SIZE 40

/* The lines before and after the line with the number. */
static void
add_received(struct bytes *content, const char *host)
{
	bytes_add_format(content, "Received: from %s by netid (CS4410MP3)\n", host);
}

static void
add_rest(struct bytes *content, const char *host)
{
	bytes_add_format(content, "From: a@%s\nTo: b\n\nfrom %s\n\n", host, host);
}

void
mail_add_parts(struct bytes *received, struct bytes *rest, const char *host)
{
	add_received(received, host);
	add_rest(rest, host);
}

int
mail_deliver(struct mailbox *mailbox, const char *host, uint64_t *number)
{
	struct bytes received = {.at = NULL}, rest = {.at = NULL};
	struct delivery_result delivery;
	struct record record;

	mail_add_parts(&received, &rest, host);
	record = (struct record){received.at, received.length, rest.at, rest.length};
	mailbox_deliver(mailbox, &record, 1, &delivery);
	bytes_free(&received);
	bytes_free(&rest);
	if (delivery.error == 0 && number != NULL) {
		*number = delivery.number;
	}
	return delivery.error;
}

static void
name_host(char host[static HOST_SIZE], uint64_t number)
{
	snprintf(host, HOST_SIZE, "host.%" PRIu64, number);
}

void
mail_deliver_range(struct mailbox *mailbox, uint64_t first, uint64_t last)
{
	for (uint64_t number = first; number <= last; number++) {
		char host[HOST_SIZE];
		uint64_t given = 0;
		int error;

		name_host(host, number);
		error = mail_deliver(mailbox, host, &given);
		REQUIRE(error == 0 && given == number,
		    "message %" PRIu64 " was given number %" PRIu64 ", error %d", number, given,
		    error);
	}
}

void
mail_add_record(struct bytes *content, const char *host, uint64_t number)
{
	add_received(content, host);
	bytes_add_format(content, "Number: %" PRIu64 "\n", number);
	add_rest(content, host);
}

void
mail_add_range(struct bytes *content, uint64_t first, uint64_t last)
{
	bytes_add_string(content, "");
	for (uint64_t number = first; number <= last; number++) {
		char host[HOST_SIZE];

		name_host(host, number);
		mail_add_record(content, host, number);
	}
}

off_t
mail_length(uint64_t first, uint64_t last)
{
	struct bytes content = {.at = NULL};
	off_t length;

	mail_add_range(&content, first, last);
	length = (off_t)content.length;
	bytes_free(&content);
	return length;
}

void
mail_expect_file(const char *name, uint64_t first, uint64_t last)
{
	struct bytes content = {.at = NULL};

	mail_add_range(&content, first, last);
	files_expect(name, &content);
	bytes_free(&content);
}

void
mail_write_file(const char *name, uint64_t first, uint64_t last)
{
	struct bytes content = {.at = NULL};

	mail_add_range(&content, first, last);
	files_write(name, content.at, content.length);
	bytes_free(&content);
}
