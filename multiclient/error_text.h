/*
 * error_text.h - the text of an error number. Any thread.
 */

#ifndef MULTICLIENT_ERROR_TEXT_H
#define MULTICLIENT_ERROR_TEXT_H

/* Bytes of a text with its NUL; a longer one is cut. */
#define ERROR_TEXT_SIZE 160

/* Write the text of `error` into `text`, and return it. */
const char *error_text(int error, char text[ERROR_TEXT_SIZE]);

#endif
