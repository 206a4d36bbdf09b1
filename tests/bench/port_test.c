/*
 * port_test.c - a held port is refused to everybody, is nobody else's, and takes a server besides.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/port.h"
#include "support/api_fixture.h"
#include "support/remote_http.h"

enum { CHOOSERS = 8, PICKS = 100 };

/* ---- Helpers ------------------------------------------------------------------------------- */

static struct port take(void) {
    struct port port = {0};
    mneme_error error;
    OK(port_take(&port, &error), &error);
    return port;
}

/* A socket bound to the port, 0: to any; -1: it is in use. */
static int bind_to(uint16_t *number, bool reuse) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons(*number)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = reuse;
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    if (bind(fd, (struct sockaddr *)&address, size) != 0) {
        assert_int_equal(errno, EADDRINUSE);
        close(fd);
        return -1;
    }
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *number = ntohs(address.sin_port);
    return fd;
}

static void assert_refused(const struct port *port) {
    errno = 0;
    assert_int_equal(http_connect(port->number), -1);
    assert_int_equal(errno, ECONNREFUSED);
}

/* ---- Cases --------------------------------------------------------------------------------- */

static void port_take__holds_a_port_at_which_nobody_answers(void **state) {
    (void)state;
    AUTO_PORT struct port port = take();
    assert_refused(&port);
    assert_int_equal(bind_to(&port.number, false), -1);
    assert_int_equal(fcntl(port.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

static void port_take__leaves_room_for_a_server_that_comes_and_goes(void **state) {
    (void)state;
    AUTO_PORT struct port port = take();
    for (int i = 0; i < 3; i++) {
        int server = bind_to(&port.number, true);
        assert_true(server >= 0);
        assert_int_equal(listen(server, 4), 0);
        int client = http_connect(port.number);
        assert_true(client >= 0);
        close(server); /* with a connection under way, as when a server is killed */
        close(client);
        assert_refused(&port);
    }
}

static void port_give_back__closes_it_once(void **state) {
    (void)state;
    unsigned open = open_descriptors();
    struct port port = take(), none = {0};
    port_give_back(&port);
    assert_int_equal(port.number, 0);
    assert_int_equal(open_descriptors(), open);
    port_give_back(&port);
    port_give_back(&none);
    assert_int_equal(open_descriptors(), open);
}

static void port_take__says_why_there_is_none(void **state) {
    (void)state;
    struct port port = {0};
    mneme_error error;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int status = port_take(&port, &error);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_not_equal(status, 0);
    assert_says(&error, "cannot take a port");
    assert_int_equal(port.number, 0);
}

/* ---- Many at once -------------------------------------------------------------------------- */

struct chooser {
    int tell, go, go_end;
};

/* In a child: hold ports, and sockets bound to any port, as servers have that choose their own. */
static int choose(void *context) {
    const struct chooser *chooser = context;
    uint16_t numbers[PICKS][2] = {{0}};
    mneme_error error = {0};
    close(chooser->go_end); /* the parent alone has it, and says "go" by closing it */
    for (size_t i = 0; i < PICKS; i++) {
        struct port port = {0};
        CHILD_CHECK(port_take(&port, &error) == 0, "%s", error.message);
        numbers[i][0] = port.number;
        CHILD_CHECK(bind_to(&numbers[i][1], true) >= 0, "no port");
    }
    CHILD_CHECK(write(chooser->tell, numbers, sizeof numbers) == sizeof numbers, "pipe");
    char end;
    CHILD_CHECK(read(chooser->go, &end, 1) == 0, "pipe"); /* held until all have told */
    return 0;
}

static void port_take__gives_no_port_twice(void **state) {
    (void)state;
    static bool seen[UINT16_MAX + 1];
    int tell[2], go[2];
    pid_t children[CHOOSERS];
    assert_int_equal(pipe(tell), 0);
    assert_int_equal(pipe(go), 0);
    struct chooser chooser = {.tell = tell[1], .go = go[0], .go_end = go[1]};
    for (size_t i = 0; i < CHOOSERS; i++)
        children[i] = child_start(choose, &chooser);
    close(tell[1]);
    for (size_t i = 0; i < 2 * CHOOSERS * PICKS; i++) {
        uint16_t number = 0;
        assert_int_equal(read(tell[0], &number, sizeof number), sizeof number);
        assert_true(number > 0);
        if (seen[number])
            fail_msg("port %u was given twice", number);
        seen[number] = true;
    }
    close(go[1]);
    for (size_t i = 0; i < CHOOSERS; i++)
        assert_int_equal(child_wait(children[i]), 0);
    close(tell[0]);
    close(go[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(port_take__holds_a_port_at_which_nobody_answers),
        cmocka_unit_test(port_take__leaves_room_for_a_server_that_comes_and_goes),
        cmocka_unit_test(port_give_back__closes_it_once),
        cmocka_unit_test(port_take__says_why_there_is_none),
        cmocka_unit_test(port_take__gives_no_port_twice),
    };
    return cmocka_run_group_tests_name("bench/port", tests, NULL, NULL);
}
