/*
 * NAME
 *	commit - model of mailbox_file.c and recovery.c: the commit point and another program
 *
 * DESCRIPTION
 *	One run that stores MESSAGES messages, and the start with --keep after it. Another program
 *	appends to the mailbox and truncates it, at any time. A write of the commit point may fail,
 *	and the server may be killed after each of its steps. A record is one unit long. If the first
 *	run is without --keep, there is no commit point at the start after it.
 *
 *	Properties
 *	- After the next start each acknowledged record is stored once, unless the other program has
 *	  removed it.
 *	- The next number is larger than that of each acknowledged record; without a commit point,
 *	  than that of each acknowledged record that the other program has not removed.
 *	- Bytes of the other program are not removed, except at a start with a commit point those
 *	  after a torn record.
 *	- Each run ends (`ends`).
 *
 * MUTANTS
 *	As in mailbox.pml.
 */

#define ACKNOWLEDGED_FIRST  1 /* assert (times_stored==1) */
#define ROLLED_BACK_TO_LOOK 2 /* assert (others==expected_others) */
#define TAIL_IS_ALWAYS_TORN 3 /* assert (others==expected_others) */
#define LAST_UNIT_IS_TORN   4 /* assert (others==expected_others) */
#define NEVER_LOOKED        5 /* assert (times_stored==1) */

#ifndef MUTANT
#define MUTANT 0
#endif
#ifndef MESSAGES
#define MESSAGES 3
#endif

/* Contents of a unit: the number of a record, or OTHER: it is the other program's. */
#define OTHER 20
#define UNITS 10

byte file[UNITS];
byte size;
byte commit_length, commit_number;
bool keep; /* the first run is with --keep */

/* struct mailbox_file */
byte length, last_number, appended_end;

bool killed; /* in the first run */
bool ended;  /* the start after it is over */

/* Read by the properties only. */
byte acknowledged_number; /* of the last acknowledged record */
byte written_number;      /* of the last record that was written */
byte removed_number;      /* of the last record that the other program has removed */
byte expected_others;     /* units of the other program that must be in the file */
bool looked; /* the last record was seen in the file after it was written */

hidden byte i, number, others, times_stored;

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
	for (number : removed_number + 1 .. acknowledged_number) {
		times_stored = 0;
		for (i : 0 .. UNITS - 1) {
			times_stored = times_stored + (file[i] == number -> 1 : 0)
		}
		assert(times_stored == 1)
	}
}

/* mailbox_file_check() */
inline look()
{
	atomic { length = size; commit_length = size; commit_number = last_number }
}

/* mailbox_file_append(): each write is one step, and the look at the file after it another one. */
inline append()
{
	do
	:: atomic {
		true -> looked = false;
		file[size] = last_number + 1; size++; appended_end = size;
		written_number = last_number + 1
	   };
		if
		:: killed = true; goto stop
#if MUTANT == NEVER_LOOKED
		:: looked = true; break
#else
		:: atomic { size >= appended_end -> looked = true; break }
		:: size < appended_end -> look()
#endif
		fi
	od
}

/* mailbox_file_roll_back(): first the commit point, then the record, if it is at the end. */
inline roll_back()
{
	atomic { commit_length = (length < size -> length : size); commit_number = last_number };
	atomic {
#if MUTANT == ROLLED_BACK_TO_LOOK
		truncate_file(length);
#else
		if
		:: size > 0 && size == appended_end && file[size - 1] == last_number + 1 ->
			truncate_file(appended_end - 1)
		:: else
		fi;
#endif
		count_others();
		assert(others == expected_others)
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
	:: last_number == MESSAGES -> break
	:: last_number < MESSAGES && !killed ->
		append();
#if MUTANT == ACKNOWLEDGED_FIRST
		acknowledged_number = last_number + 1;
#endif
		if
		:: killed = true
		:: true ->
			roll_back();
			goto stop
		:: atomic { true -> commit_length = appended_end; commit_number = last_number + 1 };
			if
			:: killed = true
			:: atomic { true -> last_number++; acknowledged_number = last_number }
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
			assert(others == expected_others);
			find_number()
		:: keep && size > commit_length && file[commit_length] == commit_number + 1 ->
			truncate_file(commit_length)
		:: else ->
#if MUTANT == TAIL_IS_ALWAYS_TORN
			truncate_file(commit_length);
#endif
			count_others();
			assert(others == expected_others)
		fi;
		assert(commit_number >= acknowledged_number ||
		    (!keep && acknowledged_number <= removed_number));
		check_stored();
		ended = true
	}
}

active proctype other_program()
{
	if
	:: atomic { !ended -> file[size] = OTHER; size++; expected_others++ }
	:: true
	fi;
	if
	:: atomic { !ended -> truncate_file(0); expected_others = 0;
		removed_number = (looked -> written_number : acknowledged_number) }
	:: true
	fi;
	if
	:: atomic { !ended ->
		/* The look after a write cannot see that these bytes took the place of a record. */
		removed_number = (size < appended_end && !looked -> written_number : removed_number);
		file[size] = OTHER; size++; expected_others++
	   }
	:: true
	fi
}

ltl ends { <> ended }
