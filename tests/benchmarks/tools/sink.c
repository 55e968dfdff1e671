/* sink: an SMTP server that takes everything, keeps nothing and counts.
 *
 * One process, one epoll loop, so that it costs the mail system under test as little as can be.
 *
 * usage: sink [-p PORT]          listens on 127.0.0.1 (a free port without -p) and prints {"port": N}
 *
 * Two verbs of its own answer in any session:
 *   XSTAT   250 {"messages": N, "recipients": N, "last_dot": SECONDS}   last_dot: Unix time of the last final dot, or 0
 *   XRESET  250, all three set to zero
 *
 * It advertises PIPELINING, 8BITMIME, SIZE, DSN and SMTPUTF8, so that nothing is refused or converted for its sake.
 * A command line longer than 4,096 octets, or a client that doesn't read its answers, ends the session. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { IN_ROOM = 65536, OUT_ROOM = 65536, LINE_LIMIT = 4096, EVENTS = 64 };

struct session {
    int fd;
    int in_message;
    unsigned long recipients;
    int over;
    size_t in_length, out_length;
    char in[IN_ROOM];
    char out[OUT_ROOM];
};

struct counters {
    unsigned long messages, recipients;
    double last_dot;
};

static struct counters counters;

static double wall_clock(void)
{
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void flush_out(struct session *session)
{
    size_t sent = 0;
    while (sent < session->out_length && !session->over) {
        ssize_t count = send(session->fd, session->out + sent, session->out_length - sent, MSG_NOSIGNAL);
        if (count <= 0)
            session->over = 1;
        else
            sent += (size_t)count;
    }
    session->out_length = 0;
}

static void say(struct session *session, const char *text)
{
    size_t length = strlen(text);
    if (session->out_length + length > OUT_ROOM)
        flush_out(session);
    memcpy(session->out + session->out_length, text, length);
    session->out_length += length;
}

static void end_message(struct session *session)
{
    session->in_message = 0;
    counters.messages++;
    counters.recipients += session->recipients;
    counters.last_dot = wall_clock();
    session->recipients = 0;
    say(session, "250 2.0.0 taken\r\n");
}

static void tell_counters(struct session *session)
{
    char text[160];
    snprintf(text, sizeof text, "250 {\"messages\": %lu, \"recipients\": %lu, \"last_dot\": %.6f}\r\n", counters.messages,
             counters.recipients, counters.last_dot);
    say(session, text);
}

static int is(const char *line, const char *verb)
{
    return strncasecmp(line, verb, strlen(verb)) == 0;
}

static void obey(struct session *session, const char *line)
{
    if (is(line, "RCPT")) {
        session->recipients++;
        say(session, "250 2.1.5 taken\r\n");
    } else if (is(line, "DATA")) {
        session->in_message = 1;
        say(session, "354 go on\r\n");
    } else if (is(line, "EHLO")) {
        say(session, "250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE\r\n250-DSN\r\n250-SMTPUTF8\r\n"
                     "250 ENHANCEDSTATUSCODES\r\n");
    } else if (is(line, "QUIT")) {
        say(session, "221 2.0.0 bye\r\n");
        flush_out(session);
        session->over = 1;
    } else if (is(line, "XSTAT")) {
        tell_counters(session);
    } else {
        if (is(line, "XRESET"))
            counters = (struct counters){0};
        session->recipients = 0;
        say(session, "250 2.0.0 taken\r\n");
    }
}

static void take_line(struct session *session, const char *line, size_t length)
{
    if (!session->in_message)
        obey(session, line);
    else if (line[0] == '.' && length <= 3 && (line[1] == '\r' || line[1] == '\n'))
        end_message(session);
}

/* Keeps an unfinished line for the next read; of a long line inside a message only its middle may be thrown away. */
static void keep_rest(struct session *session, const char *rest)
{
    size_t length = session->in_length - (size_t)(rest - session->in);
    memmove(session->in, rest, length);
    session->in_length = length;
    if (length <= LINE_LIMIT)
        return;
    if (session->in_message)
        session->in_length = LINE_LIMIT;
    else
        session->over = 1;
}

static void read_session(struct session *session)
{
    ssize_t count = read(session->fd, session->in + session->in_length, IN_ROOM - session->in_length);
    if (count <= 0) {
        session->over = 1;
        return;
    }
    session->in_length += (size_t)count;
    const char *line = session->in, *newline;
    const char *end = session->in + session->in_length;
    while (!session->over && (newline = memchr(line, '\n', (size_t)(end - line))) != NULL) {
        take_line(session, line, (size_t)(newline - line) + 1);
        line = newline + 1;
    }
    keep_rest(session, line);
    flush_out(session);
}

static void welcome(int poll, int listener)
{
    int one = 1, fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    struct session *session = fd < 0 ? NULL : malloc(sizeof *session);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = session};
    if (session == NULL || epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) < 0) {
        if (fd >= 0)
            close(fd);
        free(session);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    session->fd = fd;
    session->in_message = session->over = 0;
    session->recipients = session->in_length = session->out_length = 0;
    say(session, "220 sink ESMTP\r\n");
    flush_out(session);
}

static void serve(int listener)
{
    struct epoll_event events[EVENTS], listening = {.events = EPOLLIN, .data.ptr = NULL};
    int poll = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &listening);
    for (;;) {
        int ready = epoll_wait(poll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            struct session *session = events[i].data.ptr;
            if (session == NULL) {
                welcome(poll, listener);
                continue;
            }
            read_session(session);
            if (session->over) {
                close(session->fd);
                free(session);
            }
        }
    }
}

int main(int count, char **arguments)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int letter, one = 1;
    while ((letter = getopt(count, arguments, "p:")) != -1) {
        if (letter != 'p')
            return 2;
        address.sin_port = htons((uint16_t)atoi(optarg));
    }
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 1000) < 0) {
        perror("sink: cannot listen");
        return 1;
    }
    getsockname(listener, (struct sockaddr *)&address, &length);
    printf("{\"port\": %d}\n", ntohs(address.sin_port));
    fflush(stdout);
    serve(listener);
}
