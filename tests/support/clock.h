/*
 * clock.h - CLOCK_MONOTONIC in seconds
 */

#ifndef CLOCK_H
#define CLOCK_H

/* Seconds to wait for an expected event. Reaching it is a failure. */
#define PATIENCE 30

/* Milliseconds in a second. */
#define MILLISECONDS 1000

/* Return the current time. */
double clock_now(void);

/* Return how many milliseconds poll() has to wait until clock_now() is `deadline`, at least 0. */
int clock_left(double deadline);

/* Sleep for some seconds, also if signals arrive. */
void clock_sleep(double seconds);

/*
 * Return the seconds by which a timeout may be late before a test fails. Other programs may use the
 * processors, and a sanitizer slows the server. A timeout may never be early.
 */
double clock_lateness(void);

#endif
