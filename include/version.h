#ifndef VERSION_H
#define VERSION_H

/* What `--version` of both programs prints after their name. */
#define VERSION "1.0.0"

#endif
