/*
 * ledger.h - the number of each delivered message, compared with the files
 *
 * DESIGN
 *	One mutex. Once a message after a group is recorded, the backup of that group must exist;
 *	the client compares it and removes it, so that a long run does not fill the disk.
 *
 * Any thread, except for ledger_finish().
 */

#ifndef LEDGER_H
#define LEDGER_H

/* Record the number of message `sequence` of a stream. */
void ledger_record(unsigned long number, unsigned stream, unsigned sequence);

/* Return the number of messages recorded. */
unsigned long ledger_count(void);

/*
 * Compare the remaining files after the server has ended: there must be no gap in the numbers, and
 * the files must hold exactly these records.
 */
void ledger_finish(void);

#endif
