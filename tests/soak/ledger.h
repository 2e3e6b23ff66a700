/*
 * ledger.h - which message got which number, and whether the files say the same
 *
 * DESIGN
 *	One mutex. The client that enters the last number of a group that the next message shows to be backed
 *	up compares that backup and removes it, so that a long run does not fill the disk.
 *
 * Any thread, except for ledger_finish().
 */

#ifndef LEDGER_H
#define LEDGER_H

/* Note that message `sequence` of a stream was given this number. */
void ledger_record(unsigned long number, unsigned stream, unsigned sequence);

/* How many messages were noted. */
unsigned long ledger_count(void);

/*
 * Compare all that is left, when the server has ended: every number up to the highest must have
 * been given, and the files must hold these records and nothing else.
 */
void ledger_finish(void);

#endif
