/*
 * NAME
 *	check_service - the interface to a service manager
 *
 * DESCRIPTION
 *	Each test is a process with its own environment. A datagram socket of the test is the
 *	service manager's.
 */

#include "service.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bytes.h"
#include "capture.h"
#include "suite.h"

/* NOLINTBEGIN(concurrency-mt-unsafe): there is one thread, and the environment is its own. */

static void
begin(void)
{
	suite_enter_directory();
	capture_errors();
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("NOTIFY_SOCKET");
}

static void
end(void)
{
	capture_errors_end();
}

/* ---- sockets ---- */

/* Return the number of sockets in this environment; -1 if it is refused. */
static int
sockets_for(const char *process, const char *count)
{
	int first;
	unsigned number;

	ck_assert_int_eq(setenv("LISTEN_PID", process, 1), 0);
	ck_assert_int_eq(setenv("LISTEN_FDS", count, 1), 0);
	if (!service_sockets(&first, &number)) {
		capture_expect(&errors, "smtpd: LISTEN_FDS: must be a number from 1 to 8\n");
		return -1;
	}
	capture_expect(&errors, "");
	ck_assert_int_eq(first, 3);
	return (int)number;
}

START_TEST(without_a_service_manager_there_is_no_socket)
{
	int first;
	unsigned count = 1;

	ck_assert(service_sockets(&first, &count));
	ck_assert_uint_eq(count, 0);
}
END_TEST

START_TEST(up_to_eight_sockets_for_this_process_are_taken)
{
	static const char *const refused[] = {"", "0", "9", "-1", "1x", "x", "4294967297"};
	char own[32], other[32];
	int first;
	unsigned count;

	snprintf(own, sizeof own, "%ld", (long)getpid());
	snprintf(other, sizeof other, "%ld", (long)getppid());
	ck_assert_int_eq(sockets_for(own, "1"), 1);
	ck_assert_int_eq(sockets_for(own, "2"), 2);
	ck_assert_int_eq(sockets_for(own, "8"), 8);
	ck_assert_int_eq(sockets_for(other, "1"), 0);
	ck_assert_int_eq(sockets_for(other, "9"), 0);
	ck_assert_int_eq(sockets_for("", "1"), 0);
	for (size_t i = 0; i < ARRAY_LENGTH(refused); i++) {
		ck_assert_msg(sockets_for(own, refused[i]) == -1, "%s", refused[i]);
	}
	ck_assert_int_eq(unsetenv("LISTEN_FDS"), 0);
	ck_assert(!service_sockets(&first, &count));
}
END_TEST

/* ---- notifications ---- */

/* Open the service manager's socket at this address of `length` bytes. */
static int
open_manager(const struct sockaddr_un *address, size_t length)
{
	int manager = socket(AF_UNIX, SOCK_DGRAM, 0);

	ck_assert_int_ne(manager, -1);
	ck_assert_int_eq(bind(manager, (const struct sockaddr *)address,
			     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)),
	    0);
	return manager;
}

/* Fail unless the service manager has received exactly this. */
static void
expect_notification(int manager, const char *expected)
{
	char received[64];
	ssize_t length = recv(manager, received, sizeof received, MSG_DONTWAIT);

	ck_assert_int_ge(length, 0);
	bytes_compare("received", received, (size_t)length, expected, strlen(expected));
	ck_assert_int_eq(recv(manager, received, sizeof received, MSG_DONTWAIT), -1);
}

START_TEST(a_service_manager_is_notified)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int manager;

	/* Nothing is tested in a directory whose name is too long for the address of a socket. */
	if (getcwd(address.sun_path, sizeof address.sun_path - sizeof "/s") == NULL) {
		return;
	}
	memcpy(address.sun_path + strlen(address.sun_path), "/s", sizeof "/s");
	manager = open_manager(&address, strlen(address.sun_path));
	ck_assert_int_eq(setenv("NOTIFY_SOCKET", address.sun_path, 1), 0);
	service_notify("READY=1");
	expect_notification(manager, "READY=1");
	service_notify("STOPPING=1");
	expect_notification(manager, "STOPPING=1");
	capture_expect(&errors, "");
	/* A missing service manager is not notified, and that is logged. */
	close(manager);
	service_notify("READY=1");
	capture_expect(&errors,
	    "smtpd: NOTIFY_SOCKET: cannot notify the service manager: Connection refused\n");
}
END_TEST

START_TEST(an_abstract_address_is_notified)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char name[64];
	int manager;

	snprintf(name, sizeof name, "@check_service.%ld", (long)getpid());
	memcpy(address.sun_path + 1, name + 1, strlen(name) - 1);
	manager = open_manager(&address, strlen(name));
	ck_assert_int_eq(setenv("NOTIFY_SOCKET", name, 1), 0);
	service_notify("READY=1");
	expect_notification(manager, "READY=1");
	capture_expect(&errors, "");
	close(manager);
}
END_TEST

START_TEST(without_a_service_manager_nothing_is_sent)
{
	static const char *const names[] = {"", "relative", "vsock:2:1"};

	service_notify("READY=1");
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		ck_assert_int_eq(setenv("NOTIFY_SOCKET", names[i], 1), 0);
		service_notify("READY=1");
	}
	capture_expect(&errors, "");
}
END_TEST

START_TEST(a_failed_notification_is_logged)
{
	char name[2 * sizeof(struct sockaddr_un)];

	ck_assert_int_eq(setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1), 0);
	service_notify("READY=1");
	capture_expect(&errors,
	    "smtpd: NOTIFY_SOCKET: cannot notify the service manager: No such file or directory\n");
	memset(name, '/', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	ck_assert_int_eq(setenv("NOTIFY_SOCKET", name, 1), 0);
	service_notify("READY=1");
	capture_expect(&errors,
	    "smtpd: NOTIFY_SOCKET: cannot notify the service manager: File name too long\n");
}
END_TEST

/* NOLINTEND(concurrency-mt-unsafe) */

int
main(void)
{
	TCase *tests = suite_case();

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, without_a_service_manager_there_is_no_socket);
	tcase_add_test(tests, up_to_eight_sockets_for_this_process_are_taken);
	tcase_add_test(tests, a_service_manager_is_notified);
	tcase_add_test(tests, an_abstract_address_is_notified);
	tcase_add_test(tests, without_a_service_manager_nothing_is_sent);
	tcase_add_test(tests, a_failed_notification_is_logged);
	return suite_run("service", tests);
}
