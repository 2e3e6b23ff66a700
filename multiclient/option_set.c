/*
 * NAME
 *	option_set - check and store the values of options
 *
 * DIAGNOSTICS
 *	multiclient: --NAME 'VALUE': what it must be; then a line that points to --help.
 */

#include "option_spec.h"

#include <string.h>

#include "number.h"
#include "params.h"

enum options_result
option_refuse(const struct parser *parser, const char *what)
{
	fprintf(parser->error, "multiclient: %s%s", parser->dashes, parser->name);
	if (parser->value != NULL) {
		fprintf(parser->error, " '%s'", parser->value);
	}
	fprintf(parser->error, ": %s\nmulticlient: see multiclient --help\n", what);
	return OPTIONS_ERROR;
}

/* Return the field of struct options that the table names for the option at hand. */
static void *
field_of(const struct parser *parser)
{
	return (char *)parser->options + parser->spec->field;
}

enum options_result
option_set_flag(const struct parser *parser)
{
	*(bool *)field_of(parser) = true;
	return OPTIONS_OK;
}

enum options_result
option_set_count(const struct parser *parser)
{
	const struct option_spec *spec = parser->spec;
	char what[80];
	uint64_t number;

	if (number_parse(parser->value, &number) && number >= 1 && number <= spec->max) {
		*(size_t *)field_of(parser) = (size_t)number;
		return OPTIONS_OK;
	}
	snprintf(what, sizeof what, "must be a number from 1 to %zu", spec->max);
	return option_refuse(parser, what);
}

enum options_result
option_set_seed(const struct parser *parser)
{
	parser->options->seed_given = true;
	if (number_parse(parser->value, &parser->options->seed)) {
		return OPTIONS_OK;
	}
	return option_refuse(parser, "must be a number from 0 to 18446744073709551615");
}

enum options_result
option_set_seconds(const struct parser *parser)
{
	double *seconds = field_of(parser);
	char what[80];

	/* At least the resolution of poll(). */
	if (number_parse_seconds(parser->value, seconds) && *seconds >= 0.001 &&
	    *seconds <= SECONDS_MAX) {
		return OPTIONS_OK;
	}
	snprintf(what, sizeof what, "must be seconds from 0.001 to %g", SECONDS_MAX);
	return option_refuse(parser, what);
}

enum options_result
option_set_no_timeouts(const struct parser *parser)
{
	parser->options->with_timeouts = false;
	return OPTIONS_OK;
}

enum options_result
option_set_grade(const struct parser *parser)
{
	parser->options->grade = parser->value == NULL ? GRADE_TEXT : GRADE_MACHINE;
	if (parser->value == NULL || strcmp(parser->value, "machine") == 0) {
		return OPTIONS_OK;
	}
	return option_refuse(parser, "must be 'machine', if anything");
}

enum options_result
option_set_port(const struct parser *parser)
{
	uint64_t number;

	parser->options->port = parser->value;
	if (number_parse(parser->value, &number) && number >= 1 && number <= 65535) {
		return OPTIONS_OK;
	}
	return option_refuse(parser, "must be a port number from 1 to 65535");
}

enum options_result
option_set_host(const struct parser *parser)
{
	parser->options->host = parser->value;
	return *parser->value != '\0' ? OPTIONS_OK
				      : option_refuse(parser, "must be a name or an address");
}

enum options_result
option_set_netid(const struct parser *parser)
{
	const char *at;

	parser->options->netid = parser->value;
	for (at = parser->value; *at > 0x20 && *at < 0x7f; at++) {
		continue;
	}
	if (*at == '\0' && at != parser->value && at - parser->value <= NETID_MAX) {
		return OPTIONS_OK;
	}
	return option_refuse(parser, "must be 1 to 64 printable ASCII characters without spaces");
}

enum options_result
option_set_directory(const struct parser *parser)
{
	parser->options->directory = parser->value;
	return *parser->value != '\0' ? OPTIONS_OK : option_refuse(parser, "must be a directory");
}
