/*
 * NAME
 *	commit - model of mailbox_file.c and recovery.c: the commit point and another program
 *
 * DESCRIPTION
 *	One run that stores MESSAGES messages, and the start with --keep after it. Another program
 *	appends to the mailbox and truncates it, at any time. A write of the commit point may fail,
 *	and the server may be killed before each of its steps. A record is one unit long. If the run
 *	is without --keep, no commit point is there at the start.
 *
 *	Properties
 *	- After the next start each acknowledged record is stored once, unless the other program has
 *	  removed it; and the next number is larger than that of each acknowledged record or, without
 *	  a commit point, of each that is stored.
 *	- Bytes of the other program are not cut; at a start only those after a torn record, and
 *	  without a commit point none.
 *	- Each run ends (`ends`).
 *
 * MUTANTS
 *	As in mailbox.pml.
 */

#define ACKNOWLEDGED_FIRST  1 /* assert (stored==1) */
#define ROLLED_BACK_TO_LOOK 2 /* assert (others==appended) */
#define TAIL_IS_ALWAYS_TORN 3 /* assert (others==appended) */
#define LAST_UNIT_IS_TORN   4 /* assert (others==appended) */
#define NEVER_LOOKED        5 /* assert (stored==1) */

#ifndef MUTANT
#define MUTANT 0
#endif
#ifndef MESSAGES
#define MESSAGES 3
#endif

/* Contents of a unit: a record's number, or another program's. */
#define OTHER 20
#define UNITS 10

byte file[UNITS];
byte size;
byte commit_length, commit_number;
bool keep; /* in the first run */

/* struct mailbox_file */
byte length, last, end;

/* Read by the properties only. */
byte acknowledged; /* the last number */
byte written;      /* the number of the last record in the file */
byte removed;      /* that number when the other program truncated the file */
byte appended;     /* units of the other program, since then */
bool killed, ended;
bool looked; /* the last record in the file was seen there after it was written */

hidden byte i, others, stored;

inline truncate_file(new_size)
{
	do
	:: size > new_size -> size--; file[size] = 0
	:: else -> break
	od
}

inline count_others()
{
	others = 0;
	for (i : 0 .. UNITS - 1) {
		others = others + (file[i] == OTHER -> 1 : 0)
	}
}

/* Each acknowledged record that was not removed must be stored once. */
inline check_stored()
{
	for (last : removed + 1 .. acknowledged) {
		stored = 0;
		for (i : 0 .. UNITS - 1) {
			stored = stored + (file[i] == last -> 1 : 0)
		}
		assert(stored == 1)
	}
	last = 0
}

/* mailbox_file_check() */
inline look()
{
	atomic { length = size; commit_length = size; commit_number = last }
}

/* mailbox_file_append(): each write is one step, and so is the look at the file after it. */
inline append()
{
	do
	:: atomic {
		true -> looked = false;
		file[size] = last + 1; size++; end = size; written = last + 1
	   };
		if
		:: killed = true; goto stop
#if MUTANT == NEVER_LOOKED
		:: looked = true; break
#else
		:: atomic { size >= end -> looked = true; break }
		:: size < end -> look()
#endif
		fi
	od
}

/* mailbox_file_roll_back(): first the commit point, then the record, if it is at the end. */
inline roll_back()
{
	atomic { commit_length = (length < size -> length : size); commit_number = last };
	atomic {
#if MUTANT == ROLLED_BACK_TO_LOOK
		truncate_file(length);
#else
		if
		:: size > 0 && size == end && file[size - 1] == last + 1 -> truncate_file(end - 1)
		:: else
		fi;
#endif
		count_others();
		assert(others == appended)
	}
}

/* resume_by_records(): without a commit point the greatest number counts. */
inline find_number()
{
	commit_number = 0;
	for (i : 0 .. UNITS - 1) {
		commit_number =
			(file[i] > commit_number && file[i] < OTHER -> file[i] : commit_number)
	}
}

active proctype server()
{
	if
	:: keep = true
	:: true
	fi;
	do
	:: killed -> break
	:: last == MESSAGES -> break
	:: last < MESSAGES && !killed ->
		append();
#if MUTANT == ACKNOWLEDGED_FIRST
		acknowledged = last + 1;
#endif
		if
		:: killed = true
		:: true ->
			roll_back();
			goto stop
		:: atomic { true -> commit_length = end; commit_number = last + 1 };
			if
			:: killed = true
			:: atomic { true -> last++; acknowledged = last }
			fi
		fi
	od;
stop:
	atomic {
		/* recovery_inspect() and mailbox_file_resume() */
		if
		:: !keep ->
#if MUTANT == LAST_UNIT_IS_TORN
			truncate_file((size > 0 && file[size - 1] == OTHER -> size - 1 : size));
#endif
			count_others();
			assert(others == appended);
			find_number()
		:: keep && size > commit_length && file[commit_length] == commit_number + 1 ->
			truncate_file(commit_length)
		:: else ->
#if MUTANT == TAIL_IS_ALWAYS_TORN
			truncate_file(commit_length);
#endif
			count_others();
			assert(others == appended)
		fi;
		assert(commit_number >= acknowledged || (!keep && acknowledged <= removed));
		check_stored();
		ended = true
	}
}

active proctype other_program()
{
	if
	:: atomic { !ended -> file[size] = OTHER; size++; appended++ }
	:: true
	fi;
	if
	:: atomic { !ended -> truncate_file(0); appended = 0;
		removed = (looked -> written : acknowledged) }
	:: true
	fi;
	if
	:: atomic { !ended ->
		/* The look after a write cannot see that these bytes took the place of a record. */
		removed = (size < end && !looked -> written : removed);
		file[size] = OTHER; size++; appended++
	   }
	:: true
	fi
}

ltl ends { <> ended }
