/*
 * NAME
 *	option_print - print options in the command that repeats a run
 */

#include "option_spec.h"

#include <inttypes.h>
#include <string.h>

/* Print the name of an option after a space. */
static void
print_name(const struct option_spec *spec, FILE *file)
{
	if (spec->letter != 0) {
		fprintf(file, " -%c", spec->letter);
	} else {
		fprintf(file, " --%s", spec->name);
	}
}

/* Print a word as one argument of the shell. */
static void
print_word(const char *word, FILE *file)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "%+,-./:@_";

	if (word[strspn(word, plain)] == '\0') {
		fputs(word, file);
		return;
	}
	fputc('\'', file);
	for (; *word != '\0'; word++) {
		if (*word == '\'') {
			fputs("'\\''", file);
		} else {
			fputc(*word, file);
		}
	}
	fputc('\'', file);
}

/* Return the value of an option. */
static const void *
value_of(const struct option_spec *spec, const struct options *options)
{
	return (const char *)options + spec->field;
}

void
option_print_text(const struct option_spec *spec, const struct options *options, FILE *file)
{
	const char *const *text = value_of(spec, options);

	if (*text != NULL) {
		print_name(spec, file);
		fputc(' ', file);
		print_word(*text, file);
	}
}

void
option_print_count(const struct option_spec *spec, const struct options *options, FILE *file)
{
	print_name(spec, file);
	fprintf(file, " %zu", *(const size_t *)value_of(spec, options));
}

void
option_print_seed(const struct option_spec *spec, const struct options *options, FILE *file)
{
	if (options->seed_given) {
		print_name(spec, file);
		fprintf(file, " %" PRIu64, options->seed);
	}
}

void
option_print_seconds(const struct option_spec *spec, const struct options *options, FILE *file)
{
	print_name(spec, file);
	fprintf(file, " %.10g", *(const double *)value_of(spec, options));
}

void
option_print_no_timeouts(const struct option_spec *spec, const struct options *options, FILE *file)
{
	if (!options->with_timeouts) {
		print_name(spec, file);
	}
}

void
option_print_nothing(const struct option_spec *spec, const struct options *options, FILE *file)
{
	(void)spec;
	(void)options;
	(void)file;
}
