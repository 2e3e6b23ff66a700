/*
 * clock.h - time as the server counts it
 */

#ifndef CLOCK_H
#define CLOCK_H

/* Seconds on the monotonic clock. */
double clock_now(void);

/*
 * Seconds by which a timeout may be late before a test fails: generous, since other programs may
 * have the processors, and more so under a sanitizer. That it is never early has no such allowance.
 */
double clock_lateness(void);

#endif
