/*
 * NAME
 *	sandbox - a server in the directory of a worker
 */

#include "sandbox.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>

#include "check_directory.h"
#include "control_map.h"

enum server_state
sandbox_start(const struct sandbox *sandbox, struct server *server, const char *options)
{
	server->directory = sandbox->directory.name;
	server->options = options;
	server->control_path = sandbox->control_path.name;
	server->control_map = sandbox->control_map;
	for (enum function function = 0; function < FUNCTIONS; function++) {
		atomic_store(&sandbox->control_map->calls[function], 0);
	}
	atomic_store(&sandbox->control_map->injections, 0);
	atomic_store(&sandbox->control_map->port, 0);
	return server_start(server);
}

void
sandbox_check_end(const struct server *server, int status, int expected, struct bytes *failures)
{
	if (status == -1) {
		bytes_add_string(failures, "the server does not end; ");
	} else if (!WIFEXITED(status) || WEXITSTATUS(status) != expected) {
		bytes_add_format(
		    failures, "the server ends with wait status %#x; ", (unsigned)status);
	}
	if (failures->length > 0) {
		bytes_add_string(failures, "its log is ");
		bytes_add_visible(failures, bytes_string(&server->log), server->log.length);
		bytes_add_string(failures, "; ");
	}
}

void
sandbox_stop(struct server *server, struct bytes *failures)
{
	sandbox_check_end(server, server_stop(server), 0, failures);
	server_destroy(server);
}

void
sandbox_restart(const struct sandbox *sandbox, const char *options, struct ledger *ledger,
    struct bytes *failures)
{
	static const struct expectations expectations = {.keep = true, .unfinished = true};
	struct server server = {.managed = false};

	control_map_clear(sandbox->control_map);
	if (sandbox_start(sandbox, &server, options) == SERVER_READY) {
		mail_deliver_one(ledger, server.port, failures);
	} else {
		bytes_add_string(failures, "the server does not start; ");
	}
	sandbox_stop(&server, failures);
	check_directory(sandbox->directory.name, ledger, &expectations, failures);
}
