/*
 * top_terminal.c - see top_terminal.h.
 */
#include "top_terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* The alternate screen, and no cursor; and the way back. */
static const char enter_text[] = "\033[?1049h\033[?25l";
static const char leave_text[] = "\033[?25h\033[?1049l";

static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
enum { ENDING = sizeof ending / sizeof ending[0] };

static volatile sig_atomic_t end_signal, stop_asked, came_back;

static struct {
    bool open, screen, entered, keys;
    struct termios modes; /* as they were */
    sigset_t outside;     /* the signals that were blocked before; and while it waits */
    unsigned char typed[64];
    size_t typed_size, typed_next;
} terminal;

/* ---- Signals --------------------------------------------------------------------------------- */

static void on_end(int number) { end_signal = number; }
static void on_stop(int number) { stop_asked = number; }
static void on_return(int number) { came_back = number; }
static void on_resize(int number) { (void)number; } /* to wake who waits is enough */

/* SA_RESETHAND: should the terminal take no more bytes, a second Ctrl-C ends the program. */
static void catch_signals(void) {
    struct sigaction action = {.sa_handler = on_end, .sa_flags = (int)SA_RESETHAND};
    sigset_t ours;
    sigemptyset(&action.sa_mask);
    sigemptyset(&ours);
    for (size_t i = 0; i < ENDING; i++) {
        sigaction(ending[i], &action, NULL);
        sigaddset(&ours, ending[i]);
    }
    if (terminal.screen) {
        static const int others[] = {SIGTSTP, SIGCONT, SIGWINCH};
        static void (*const handlers[])(int) = {on_stop, on_return, on_resize};
        action.sa_flags = 0;
        for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
            action.sa_handler = handlers[i];
            sigaction(others[i], &action, NULL);
            sigaddset(&ours, others[i]);
        }
    }
    sigprocmask(SIG_BLOCK, &ours, &terminal.outside);
}

int terminal_signal(void) { return (int)end_signal; }

/* ---- Taking it and giving it back ------------------------------------------------------------ */

static void enter(void) {
    if (!terminal.screen || terminal.entered)
        return;
    if (terminal.keys) {
        struct termios modes = terminal.modes;
        modes.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        modes.c_iflag &= ~(tcflag_t)IXON; /* Ctrl-S would hold the picture, and this program */
        modes.c_cc[VMIN] = 1;
        modes.c_cc[VTIME] = 0;
        tcsetattr(STDIN_FILENO, TCSANOW, &modes);
    }
    terminal.entered = true;
    terminal_show(enter_text, sizeof enter_text - 1);
}

static void leave(void) {
    if (!terminal.entered)
        return;
    terminal.entered = false;
    for (size_t done = 0; done < sizeof leave_text - 1;) {
        ssize_t size = write(STDOUT_FILENO, leave_text + done, sizeof leave_text - 1 - done);
        if (size < 0 && errno != EINTR)
            break;
        done += size > 0 ? (size_t)size : 0;
    }
    if (terminal.keys)
        tcsetattr(STDIN_FILENO, TCSANOW, &terminal.modes);
}

int terminal_open(bool screen, mneme_error *error) {
    static bool registered;
    terminal.screen = screen;
    terminal.keys = screen && tcgetattr(STDIN_FILENO, &terminal.modes) == 0;
    if (!registered && atexit(terminal_close) != 0) {
        *error = (mneme_error){.message = "cannot promise to give the terminal back"};
        return MNEME_IO;
    }
    registered = true;
    catch_signals();
    terminal.open = true;
    enter();
    return 0;
}

void terminal_close(void) {
    if (!terminal.open)
        return;
    terminal.open = false;
    sigprocmask(SIG_SETMASK, &terminal.outside, NULL);
    leave();
}

/* As the shell expects it: the terminal is its own while this program is stopped. The handler has
 * taken the place of what SIGTSTP does by itself, hence SIGSTOP. */
static void stop(void) {
    stop_asked = 0;
    leave();
    raise(SIGSTOP);
    came_back = 1;
}

/* Modes are set again even if nobody took them: who sent SIGSTOP did not ask, and the shell has set
 * its own. */
static void come_back(void) {
    came_back = 0;
    terminal.entered = false;
    enter();
}

/* ---- Output ---------------------------------------------------------------------------------- */

struct terminal_size terminal_size(void) {
    struct winsize size = {0};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0)
        return (struct terminal_size){80, 24};
    return (struct terminal_size){size.ws_col, size.ws_row};
}

bool terminal_show(const char *text, size_t size) {
    sigset_t blocked;
    bool good = true;
    sigprocmask(SIG_SETMASK, &terminal.outside, &blocked);
    while (good && size > 0 && end_signal == 0) {
        ssize_t written = write(STDOUT_FILENO, text, size);
        good = written >= 0 || errno == EINTR;
        text += written > 0 ? written : 0;
        size -= written > 0 ? (size_t)written : 0;
    }
    sigprocmask(SIG_SETMASK, &blocked, NULL);
    return good && end_signal == 0;
}

/* ---- Input ----------------------------------------------------------------------------------- */

double terminal_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool read_keys(void) {
    ssize_t size = read(STDIN_FILENO, terminal.typed, sizeof terminal.typed);
    terminal.typed_next = 0;
    terminal.typed_size = size > 0 ? (size_t)size : 0;
    return size > 0 || (size < 0 && (errno == EINTR || errno == EAGAIN));
}

/* ESC [ … letter, or ESC O letter: what is behind the ESC is stepped over. */
static void skip_sequence(void) {
    const unsigned char *at = terminal.typed + terminal.typed_next;
    const unsigned char *end = terminal.typed + terminal.typed_size;
    if (*at++ == '[')
        while (at < end && (*at < 0x40 || *at > 0x7e))
            at++;
    terminal.typed_next = at < end ? (size_t)(at - terminal.typed) + 1 : terminal.typed_size;
}

static int next_key(void) {
    while (terminal.typed_next < terminal.typed_size) {
        int key = terminal.typed[terminal.typed_next++];
        bool more = terminal.typed_next < terminal.typed_size;
        int next = more ? terminal.typed[terminal.typed_next] : 0;
        if (key != KEY_ESCAPE || (next != '[' && next != 'O'))
            return key;
        skip_sequence();
    }
    return KEY_NONE;
}

/* A little more than that: who wakes up too early would draw what is drawn. */
static struct timespec time_left(double until_s) {
    double left = until_s - terminal_now();
    left = left > 0 ? left + 1e-5 : 0;
    time_t seconds = (time_t)left;
    return (struct timespec){seconds, (long)((left - (double)seconds) * 1e9)};
}

int terminal_wait(double until_s) {
    struct pollfd keys = {terminal.keys ? STDIN_FILENO : -1, POLLIN, 0};
    struct timespec left = time_left(until_s);
    int key = next_key();
    if (key != KEY_NONE)
        return key;
    int ready = ppoll(&keys, 1, &left, &terminal.outside);
    if (end_signal != 0)
        return KEY_END;
    if (stop_asked != 0)
        stop();
    if (came_back != 0)
        come_back();
    if (ready <= 0)
        return KEY_NONE;
    return read_keys() ? next_key() : KEY_END;
}
