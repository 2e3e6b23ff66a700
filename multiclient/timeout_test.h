/*
 * timeout_test.h - wait for the server's 421, and check that it comes in time
 */

#ifndef MULTICLIENT_TIMEOUT_TEST_H
#define MULTICLIENT_TIMEOUT_TEST_H

#include "session.h"

/*
 * Run the timeout test that is the one operation of the client's exchange: wait for the 421,
 * which must come between T and T + TIMEOUT_SLACK, and for end of file after it; then close the
 * connection. Mismatches are reported and counted. The client's thread.
 */
void timeout_test_run(struct client *client);

#endif
