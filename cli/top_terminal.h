/*
 * top_terminal.h - the terminal while `top` has it: its modes, its keys, its size, its signals.
 *
 * The sequences are the few of ECMA-48 and xterm that every terminal of today has: alternate
 * screen, cursor off, move, erase to the end of the line, colours. ncurses would know others, too;
 * but a screen that is written anew as a whole, some bytes once a second, needs nothing that it
 * does, and with NO_COLOR not one SGR sequence may be sent, where ncurses resets attributes.
 *
 * There is one terminal, and so one state. However the program ends, but for a crash, the terminal
 * is given back: terminal_close, else an atexit handler. A stop (Ctrl-Z) gives it back meanwhile.
 * Threads. Signals are blocked but for the time that terminal_wait and terminal_show take; so
 * threads that are begun after terminal_open never run a handler.
 */
#ifndef MNEME_CLI_TOP_TERMINAL_H
#define MNEME_CLI_TOP_TERMINAL_H

#include "mneme/mneme.h"

enum { KEY_NONE = 0, KEY_ESCAPE = 27, KEY_END = -1 };

struct terminal_size {
    size_t columns, rows;
};

/* Catch signals; with `screen` also take the terminal on standard output and its keys from standard
 * input, where that is a terminal. MNEME_IO. */
int terminal_open(bool screen, mneme_error *error);
void terminal_close(void); /* may be called when it is not open */

/* What it is now; 80 by 24 when it does not say. */
struct terminal_size terminal_size(void);

/* Write all of it. False: the terminal is gone, or a signal asks to end. */
bool terminal_show(const char *text, size_t size);

/*
 * Wait for a key, at most until terminal_now() is `until_s`. Returns the key; KEY_NONE when the
 * time is over or the screen is to be drawn anew, for it has another size or was away; KEY_END when
 * a signal asks to end, or the terminal is gone. Escape sequences (arrows, …) are no keys.
 */
int terminal_wait(double until_s);

/* The signal that asked to end; 0: none. */
int terminal_signal(void);

/* Seconds on the clock that is not set. */
double terminal_now(void);

#endif
