/*
 * ledger.h - the number of each delivered message, compared with the files
 *
 * DESIGN
 *	One mutex. The server makes a backup before it stores the next message. So when a later one
 *	is recorded, the backup must exist: ledger_record() compares it and removes it, so that a
 *	long run does not fill the disk.
 *
 * Any thread. ledger_finish() is called last, when no client runs.
 */

#ifndef LEDGER_H
#define LEDGER_H

/* Record the number that the server gave to message `sequence` of a stream (message.h). */
void ledger_record(unsigned long number, unsigned stream, unsigned sequence);

/* Return the number of messages recorded. */
unsigned long ledger_count(void);

/*
 * Compare the remaining files after the server has ended: there must be no gap in the numbers, and
 * the files must hold exactly these records.
 */
void ledger_finish(void);

#endif
