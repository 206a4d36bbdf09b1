/*
 * port.c - see port.h.
 */
#include "bench/port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * It is bound without SO_REUSEADDR, so that the kernel passes over each port that another holds,
 * whatever that one has set; with the option set afterwards a server that sets it too can bind
 * besides.
 */
int port_take(struct port *port, mneme_error *error) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) {
        int code = errno;
        if (fd >= 0)
            close(fd);
        return error_set_errno(error, code, "cannot take a port of 127.0.0.1");
    }
    *port = (struct port){.number = ntohs(address.sin_port), .fd = fd};
    return 0;
}

void port_give_back(struct port *port) {
    if (port->number)
        close(port->fd);
    *port = (struct port){0};
}
