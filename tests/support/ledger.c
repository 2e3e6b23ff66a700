/*
 * NAME
 *	ledger - the expected content of the mailbox and its backups
 */

#include "ledger.h"

#include <stdio.h>
#include <string.h>

#include "fail.h"

unsigned
ledger_add(struct ledger *ledger, const char *host, const char *from, const char *to,
    const void *body, size_t length)
{
	unsigned number = ++ledger->last_number;

	bytes_add_format(&ledger->records,
	    "Received: from %s by netid (CS4410MP3)\n"
	    "Number: %u\n"
	    "From: %s\n"
	    "To: %s\n"
	    "\n",
	    host, number, from, to);
	bytes_add(&ledger->records, body, length);
	bytes_add_string(&ledger->records, "\n");
	if (number % BACKUP_EVERY == 0) {
		REQUIRE(number / BACKUP_EVERY <= LEDGER_BACKUPS_MAX, "too many backups");
		ledger->ends[number / BACKUP_EVERY - 1] = ledger->records.length;
	}
	return number;
}

unsigned
ledger_add_delivered(struct ledger *ledger, const char *body)
{
	return ledger_add(ledger, "client", "a@b", "c@d", body, strlen(body));
}

unsigned
ledger_add_line(struct ledger *ledger, const char *line)
{
	struct bytes body = {0};
	unsigned number;

	bytes_add_format(&body, "%s\n", line);
	number = ledger_add_delivered(ledger, body.at);
	bytes_free(&body);
	return number;
}

/* Return the name of a backup without its directory. */
static struct path
backup_name(unsigned last)
{
	struct path name;

	snprintf(name.name, sizeof name.name, "mailbox.%u-%u", last - BACKUP_EVERY + 1, last);
	return name;
}

struct path
ledger_backup(const struct server *server, unsigned last)
{
	return server_path(server, backup_name(last).name);
}

/* Wait until a file has its expected length, and compare it. */
static void
check_file(const struct server *server, const char *name, const char *content, size_t length)
{
	struct path path = server_path(server, name);

	/* If it does not get that long, the comparison fails. */
	files_await(server->directory.name, name, (off_t)length);
	files_compare(path.name, content, length);
}

void
ledger_check(struct ledger *ledger, const struct server *server)
{
	const char *records = bytes_string(&ledger->records);
	unsigned backups = ledger->last_number / BACKUP_EVERY;
	size_t start = ledger->checked_count == 0 ? 0 : ledger->ends[ledger->checked_count - 1];

	while (ledger->checked_count < backups) {
		size_t end = ledger->ends[ledger->checked_count++];
		struct path name = backup_name(ledger->checked_count * BACKUP_EVERY);

		check_file(server, name.name, records + start, end - start);
		start = end;
	}
	check_file(server, "mailbox", records + start, ledger->records.length - start);
}

void
ledger_free(struct ledger *ledger)
{
	bytes_free(&ledger->records);
	memset(ledger, 0, sizeof *ledger);
}
