/* load: milter protocol load generator.
 *
 * Plays the MTA's part of the milter protocol, version 6, as Postfix 3.7 does: it offers the same actions and protocol
 * steps, sends the same macros (or those the filter asked for), honours every "don't send" and "no reply" bit and
 * SKIP, and counts what the filter did.  Each connection is one blocking thread, as each smtpd is one process.
 *
 * usage: load -s SOCKET [-c CONNECTIONS] [-t SECONDS | -m MESSAGES] [-1] [-r RECIPIENTS] [-g GROUP]...
 *             [-d DOMAIN] [-f SENDER] [-l LOGIN] [-b BODY-OCTETS]
 *   -s  unix:PATH or inet:PORT@HOST (HOST a numeric IPv4 address)
 *   -t  run for so long (default 3 seconds), and until a first message has its answer or a connection has failed;
 *       -m: send so many messages, over all connections
 *   -1  a fresh connection for each message; without it a connection is kept for all of its messages
 *   -r  recipients of each message (default 3); the first ones are the -g addresses, the rest personN@DOMAIN,
 *       numbered from 1000: direct recipients that are also a group's members would come off the expansion
 *   -f  envelope sender and author;  -l  SASL login sent as {auth_authen}
 *
 * Prints one line of JSON.  Exit status 0: the load ran (look at "errors"); 1: no connection could be made at all;
 * 2: bad arguments.  A connection that breaks is counted under "errors" and opened again after 20 ms; a filter that
 * doesn't answer for 60 s counts as broken.
 *
 * Source of the protocol: libmilter's mfdef.h and mfapi.h (sendmail 8.17), Postfix's milter8.c for the order. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* Actions and protocol steps that Postfix 3.7 offers: all that version 6 knows. */
enum { OFFERED_ACTIONS = 0x1ff, OFFERED_STEPS = 0x1fffff, PROTOCOL_VERSION = 6 };

enum {
    NO_CONNECT = 0x1, NO_HELO = 0x2, NO_MAIL = 0x4, NO_RCPT = 0x8, NO_BODY = 0x10, NO_HEADERS = 0x20, NO_EOH = 0x40,
    SILENT_HEADER = 0x80, NO_DATA = 0x200, MAY_SKIP = 0x400, SILENT_CONNECT = 0x1000, SILENT_HELO = 0x2000,
    SILENT_MAIL = 0x4000, SILENT_RCPT = 0x8000, SILENT_DATA = 0x10000, SILENT_EOH = 0x40000, SILENT_BODY = 0x80000,
    HEADER_LEADING_SPACE = 0x100000
};

enum stage { AT_CONNECT, AT_HELO, AT_MAIL, AT_RCPT, AT_DATA, AT_EOM, AT_EOH, STAGES };

enum { FIRST_PERSON = 1000, HEADERS = 10, CHUNK = 65535, MACRO_LIST = 512, MAX_GROUPS = 64, ANSWER_SECONDS = 60 };

static const char stage_command[STAGES] = {'C', 'H', 'M', 'R', 'T', 'E', 'N'};

/* Postfix's defaults: milter_connect_macros, ..._helo_, ..._mail_, ..._rcpt_, ..._data_, ..._end_of_data_, ... */
static const char *const default_macros[STAGES] = {
    "j {daemon_name} {daemon_addr} v _", "{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer}",
    "i {auth_type} {auth_authen} {auth_author} {mail_addr} {mail_host} {mail_mailer}",
    "i {rcpt_addr} {rcpt_host} {rcpt_mailer}", "i", "i", "i"};

struct options {
    const char *socket;
    int connections;
    double seconds;
    long messages;
    int fresh;
    int recipients;
    const char *groups[MAX_GROUPS];
    int group_count;
    const char *domain;
    const char *sender;
    const char *login;
    int body_octets;
};

struct message {
    const char *header_name[HEADERS];
    const char *header_value[HEADERS];
    char *body;
};

/* What one thread counted; summed after all have ended. */
struct tally {
    long transactions, errors, modifications, opened;
    long verdicts[128], recipient_verdicts[128];
    double *latencies;
    size_t latency_count, latency_room;
};

struct connection {
    int fd;
    uint32_t steps;
    char macros[STAGES][MACRO_LIST];
    unsigned char out[2 * CHUNK];
    size_t out_length;
    unsigned char in[2 * CHUNK];
    size_t in_start, in_length;
    const char *recipient;   /* as {rcpt_addr}; NULL outside RCPT */
    int recipients[128];     /* of this message, by verdict letter */
    int queued;              /* Postfix has a queue id only from the first accepted recipient on */
    long modifications;
};

struct worker {
    pthread_t thread;
    struct connection connection;
    struct tally tally;
};

static struct options options = {.connections = 1, .seconds = 3, .recipients = 3, .domain = "example.org",
                                 .sender = "sender@example.net", .body_octets = 2048};
static struct message message;
static atomic_int stopping, told;
static atomic_long messages_left;

static void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(2);
}

static void *allocate(void *old, size_t octets)
{
    void *memory = realloc(old, octets);
    if (memory == NULL)
        fail("load: out of memory");
    return memory;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* ---- octets: all of these answer 0, or -1 when the connection is broken ---- */

static int flush_out(struct connection *c)
{
    size_t sent = 0;
    while (sent < c->out_length) {
        ssize_t count = send(c->fd, c->out + sent, c->out_length - sent, MSG_NOSIGNAL);
        if (count <= 0)
            return -1;
        sent += (size_t)count;
    }
    c->out_length = 0;
    return 0;
}

static int put(struct connection *c, char command, const void *payload, size_t length)
{
    uint32_t size = htonl((uint32_t)length + 1);
    if (c->out_length + length + 5 > sizeof c->out && flush_out(c) < 0)
        return -1;
    memcpy(c->out + c->out_length, &size, 4);
    c->out[c->out_length + 4] = (unsigned char)command;
    if (length > 0)
        memcpy(c->out + c->out_length + 5, payload, length);
    c->out_length += length + 5;
    return 0;
}

static int need(struct connection *c, size_t octets)
{
    if (octets > sizeof c->in)
        return -1;
    while (c->in_length - c->in_start < octets) {
        if (c->in_start > 0) {
            memmove(c->in, c->in + c->in_start, c->in_length - c->in_start);
            c->in_length -= c->in_start;
            c->in_start = 0;
        }
        ssize_t count = recv(c->fd, c->in + c->in_length, sizeof c->in - c->in_length, 0);
        if (count <= 0)
            return -1;
        c->in_length += (size_t)count;
    }
    return 0;
}

/* The next packet (command octet first), or NULL; valid until the next call. */
static const unsigned char *packet(struct connection *c, uint32_t *length)
{
    if (need(c, 4) < 0)
        return NULL;
    memcpy(length, c->in + c->in_start, 4);
    *length = ntohl(*length);
    if (*length == 0 || need(c, 4 + (size_t)*length) < 0)
        return NULL;
    const unsigned char *start = c->in + c->in_start + 4;
    c->in_start += 4 + (size_t)*length;
    return start;
}

/* ---- packets ---- */

/* The filter's verdict letter; modifications that come before it are counted, progress notes passed over. */
static int verdict(struct connection *c)
{
    if (flush_out(c) < 0)
        return -1;
    for (;;) {
        uint32_t length;
        const unsigned char *p = packet(c, &length);
        if (p == NULL || *p >= 128)
            return -1;
        if (strchr("+2-bhimeq", *p) != NULL)
            c->modifications++;
        else if (*p != 'p')
            return *p;
    }
}

static int verdict_unless(struct connection *c, uint32_t silent_bit)
{
    return (c->steps & silent_bit) ? 'c' : verdict(c);
}

/* A macro's value as Postfix would give it, or NULL where it has none and sends nothing. */
static const char *macro_value(const struct connection *c, const char *name)
{
    static const char *const fixed[][2] = {
        {"j", "mx.example.org"}, {"{daemon_name}", "mx.example.org"}, {"{daemon_addr}", "127.0.0.1"},
        {"{daemon_port}", "25"}, {"v", "Postfix 3.7.11"}, {"_", "client.example.net [192.0.2.10]"},
        {"{client_addr}", "192.0.2.10"}, {"{client_name}", "client.example.net"}, {"{client_port}", "40000"},
        {"{mail_host}", "example.net"}, {"{mail_mailer}", "smtp"},
        {"{rcpt_host}", "example.org"}, {"{rcpt_mailer}", "relay"}};
    if (strcmp(name, "i") == 0)
        return c->queued ? "4XyZ00ABCDz1" : NULL;
    if (strcmp(name, "{rcpt_addr}") == 0)
        return c->recipient;
    if (strcmp(name, "{mail_addr}") == 0)
        return options.sender;
    if (strcmp(name, "{auth_authen}") == 0)
        return options.login;
    if (strcmp(name, "{auth_type}") == 0)
        return options.login != NULL ? "PLAIN" : NULL;
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (strcmp(name, fixed[i][0]) == 0)
            return fixed[i][1];
    return NULL;
}

static int put_macros(struct connection *c, enum stage stage)
{
    char names[MACRO_LIST], payload[4 * MACRO_LIST], *rest = NULL;
    size_t length = 1;
    payload[0] = stage_command[stage];
    memcpy(names, c->macros[stage], sizeof names);
    for (char *name = strtok_r(names, " ,", &rest); name != NULL; name = strtok_r(NULL, " ,", &rest)) {
        const char *value = macro_value(c, name);
        if (value == NULL || length + strlen(name) + strlen(value) + 2 > sizeof payload)
            continue;
        length = (size_t)(stpcpy(payload + length, name) - payload) + 1;
        length = (size_t)(stpcpy(payload + length, value) - payload) + 1;
    }
    return put(c, 'D', payload, length);
}

/* ---- a connection ---- */

static int dial_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        fail("load: socket path too long: %s", path);
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static int dial_inet(const char *port_at_host)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int port, at, one = 1;
    if (sscanf(port_at_host, "%d@%n", &port, &at) != 1 || inet_aton(port_at_host + at, &address.sin_addr) == 0)
        fail("load: not PORT@HOST: %s", port_at_host);
    address.sin_port = htons((uint16_t)port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        close(fd);
        return -1;
    }
    /* The figure is the filter's speed; Nagle on our side would only add our own waiting. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static int dial(void)
{
    struct timeval limit = {.tv_sec = ANSWER_SECONDS};
    int fd = strncmp(options.socket, "unix:", 5) == 0 ? dial_unix(options.socket + 5) : dial_inet(options.socket + 5);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return fd;
}

/* The tail of the filter's answer to OPTNEG: (stage, macro names) pairs that replace the default lists. */
static void take_macro_lists(struct connection *c, const unsigned char *p, const unsigned char *end)
{
    while (end - p > 4) {
        uint32_t stage;
        memcpy(&stage, p, 4);
        stage = ntohl(stage);
        p += 4;
        size_t length = strnlen((const char *)p, (size_t)(end - p));
        if (stage < STAGES && length < MACRO_LIST) {
            memcpy(c->macros[stage], p, length);
            c->macros[stage][length] = '\0';
        }
        p += length + 1;
    }
}

static int negotiate(struct connection *c)
{
    uint32_t offer[3] = {htonl(PROTOCOL_VERSION), htonl(OFFERED_ACTIONS), htonl(OFFERED_STEPS)}, answer[3], length;
    if (put(c, 'O', offer, sizeof offer) < 0 || flush_out(c) < 0)
        return -1;
    const unsigned char *p = packet(c, &length);
    if (p == NULL || *p != 'O' || length < 1 + sizeof answer)
        return -1;
    memcpy(answer, p + 1, sizeof answer);
    c->steps = ntohl(answer[2]);
    for (int stage = 0; stage < STAGES; stage++)
        snprintf(c->macros[stage], MACRO_LIST, "%s", default_macros[stage]);
    take_macro_lists(c, p + 1 + sizeof answer, p + length);
    return 0;
}

static int greet(struct connection *c)
{
    static const char host[] = "client.example.net", client_address[] = "192.0.2.10";
    char payload[64];
    uint16_t port = htons(40000);
    size_t length = sizeof host;
    memcpy(payload, host, sizeof host);
    payload[length++] = '4';
    memcpy(payload + length, &port, 2);
    memcpy(payload + length + 2, client_address, sizeof client_address);
    length += 2 + sizeof client_address;
    if (!(c->steps & NO_CONNECT)) {
        if (put_macros(c, AT_CONNECT) < 0 || put(c, 'C', payload, length) < 0 || verdict_unless(c, SILENT_CONNECT) != 'c')
            return -1;
    }
    if (c->steps & NO_HELO)
        return 0;
    if (put_macros(c, AT_HELO) < 0 || put(c, 'H', host, sizeof host) < 0)
        return -1;
    return verdict_unless(c, SILENT_HELO) == 'c' ? 0 : -1;
}

static void hang_up(struct connection *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

static int open_connection(struct connection *c)
{
    c->out_length = c->in_start = c->in_length = 0;
    c->recipient = NULL;
    c->fd = dial();
    if (c->fd < 0)
        return -1;
    if (negotiate(c) < 0 || greet(c) < 0) {
        hang_up(c);
        return -1;
    }
    return 0;
}

static void close_connection(struct connection *c)
{
    if (put(c, 'Q', NULL, 0) == 0)
        flush_out(c);
    hang_up(c);
}

/* ---- one message: each step answers the verdict letter ('c': go on), or -1 ---- */

static int send_sender(struct connection *c)
{
    char payload[512];
    c->queued = 0;
    if (c->steps & NO_MAIL)
        return 'c';
    int length = snprintf(payload, sizeof payload, "<%s>%cSIZE=%d", options.sender, 0, options.body_octets + 600) + 1;
    if (put_macros(c, AT_MAIL) < 0 || put(c, 'M', payload, (size_t)length) < 0)
        return -1;
    return verdict_unless(c, SILENT_MAIL);
}

static int send_recipient(struct connection *c, int index)
{
    char address[256], payload[260];
    if (index < options.group_count)
        snprintf(address, sizeof address, "%s", options.groups[index]);
    else
        snprintf(address, sizeof address, "person%d@%s", FIRST_PERSON + index, options.domain);
    c->recipient = address;
    int length = snprintf(payload, sizeof payload, "<%s>", address) + 1;
    int answer = -1;
    if (put_macros(c, AT_RCPT) == 0 && put(c, 'R', payload, (size_t)length) == 0)
        answer = verdict_unless(c, SILENT_RCPT);
    c->recipient = NULL;
    c->queued |= answer == 'c';
    return answer;
}

/* A refused recipient is its own affair; a message whose recipients were all refused ends here, as with an MTA. */
static int send_recipients(struct connection *c)
{
    int accepted = 0, answer = 'c';
    memset(c->recipients, 0, sizeof c->recipients);
    for (int i = 0; !(c->steps & NO_RCPT) && i < options.recipients; i++) {
        answer = send_recipient(c, i);
        if (answer < 0)
            return -1;
        c->recipients[answer]++;
        accepted += answer == 'c';
    }
    c->queued = 1;
    return accepted > 0 || (c->steps & NO_RCPT) ? 'c' : answer;
}

static int send_data(struct connection *c)
{
    if (c->steps & NO_DATA)
        return 'c';
    if (put_macros(c, AT_DATA) < 0 || put(c, 'T', NULL, 0) < 0)
        return -1;
    return verdict_unless(c, SILENT_DATA);
}

static int send_headers(struct connection *c)
{
    char payload[1024];
    int answer = 'c';
    for (int i = 0; !(c->steps & NO_HEADERS) && i < HEADERS && answer == 'c'; i++) {
        const char *space = (c->steps & HEADER_LEADING_SPACE) ? " " : "";
        int length = snprintf(payload, sizeof payload, "%s%c%s%s", message.header_name[i], 0, space,
                              message.header_value[i]) + 1;
        answer = put(c, 'L', payload, (size_t)length) < 0 ? -1 : verdict_unless(c, SILENT_HEADER);
    }
    return answer;
}

static int send_end_of_headers(struct connection *c)
{
    if (c->steps & NO_EOH)
        return 'c';
    if (put_macros(c, AT_EOH) < 0 || put(c, 'N', NULL, 0) < 0)
        return -1;
    return verdict_unless(c, SILENT_EOH);
}

static int send_body(struct connection *c)
{
    int answer = 'c';
    for (int sent = 0; !(c->steps & NO_BODY) && sent < options.body_octets && answer == 'c'; sent += CHUNK) {
        int length = options.body_octets - sent < CHUNK ? options.body_octets - sent : CHUNK;
        answer = put(c, 'B', message.body + sent, (size_t)length) < 0 ? -1 : verdict_unless(c, SILENT_BODY);
    }
    return answer == 's' && (c->steps & MAY_SKIP) ? 'c' : answer;
}

static int send_end_of_message(struct connection *c)
{
    if (put_macros(c, AT_EOM) < 0 || put(c, 'E', NULL, 0) < 0)
        return -1;
    return verdict(c);
}

static int send_message(struct connection *c)
{
    int answer = send_sender(c);
    if (answer == 'c')
        answer = send_recipients(c);
    if (answer == 'c')
        answer = send_data(c);
    if (answer == 'c')
        answer = send_headers(c);
    if (answer == 'c')
        answer = send_end_of_headers(c);
    if (answer == 'c')
        answer = send_body(c);
    return answer == 'c' ? send_end_of_message(c) : answer;
}

/* ---- threads and figures ---- */

static void keep_latency(struct tally *tally, double seconds)
{
    if (tally->latency_count == tally->latency_room) {
        tally->latency_room = tally->latency_room ? 2 * tally->latency_room : 4096;
        tally->latencies = allocate(tally->latencies, tally->latency_room * sizeof(double));
    }
    tally->latencies[tally->latency_count++] = seconds;
}

static int may_send(void)
{
    if (atomic_load(&stopping))
        return 0;
    return options.messages == 0 || atomic_fetch_sub(&messages_left, 1) > 0;
}

/* A message whose answer comes after the bell doesn't count: neither it, nor what the filter changed in it. */
static void count_message(struct worker *w, int answer, double started)
{
    double ended = now();
    if (atomic_load(&stopping))
        return;
    atomic_store(&told, 1);
    w->tally.transactions++;
    w->tally.verdicts[answer]++;
    w->tally.modifications += w->connection.modifications;
    for (int letter = 0; letter < 128; letter++)
        w->tally.recipient_verdicts[letter] += w->connection.recipients[letter];
    keep_latency(&w->tally, ended - started);
}

static void send_one(struct worker *w)
{
    struct connection *c = &w->connection;
    double started = now();
    c->modifications = 0;
    if (c->fd < 0) {
        if (open_connection(c) < 0) {
            w->tally.errors++;
            atomic_store(&told, 1);
            usleep(20000);
            return;
        }
        w->tally.opened++;
    }
    int answer = send_message(c);
    if (answer < 0) {
        w->tally.errors++;
        atomic_store(&told, 1);
        hang_up(c);
        return;
    }
    if (options.fresh)
        close_connection(c);
    else if (answer != 'c' && answer != 'a' && put(c, 'A', NULL, 0) < 0)
        hang_up(c);
    count_message(w, answer, started);
}

static void *work(void *argument)
{
    struct worker *w = argument;
    w->connection.fd = -1;
    while (may_send())
        send_one(w);
    if (w->connection.fd >= 0)
        close_connection(&w->connection);
    return NULL;
}

static void add_tally(struct tally *sum, const struct tally *part)
{
    sum->transactions += part->transactions;
    sum->errors += part->errors;
    sum->modifications += part->modifications;
    sum->opened += part->opened;
    for (int letter = 0; letter < 128; letter++) {
        sum->verdicts[letter] += part->verdicts[letter];
        sum->recipient_verdicts[letter] += part->recipient_verdicts[letter];
    }
    for (size_t i = 0; i < part->latency_count; i++)
        keep_latency(sum, part->latencies[i]);
}

static int ascending(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double percentile_ms(const struct tally *sum, double share)
{
    if (sum->latency_count == 0)
        return 0;
    return 1000 * sum->latencies[(size_t)((double)(sum->latency_count - 1) * share)];
}

static void print_letters(const char *name, const long *counts)
{
    const char *comma = "";
    printf(", \"%s\": {", name);
    for (int letter = ' '; letter < 127; letter++)
        if (counts[letter] > 0) {
            printf("%s\"%c\": %ld", comma, letter, counts[letter]);
            comma = ", ";
        }
    printf("}");
}

static double own_cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

static void print_figures(struct tally *sum, double seconds)
{
    double messages = sum->transactions > 0 ? (double)sum->transactions : 1;
    qsort(sum->latencies, sum->latency_count, sizeof(double), ascending);
    printf("{\"transactions\": %ld, \"seconds\": %.3f, \"tps\": %.1f, \"p50_ms\": %.4f, \"p99_ms\": %.4f, \"errors\": %ld, "
           "\"connections_opened\": %ld, \"modifications_per_message\": %.4f, \"client_cpu_ms_per_message\": %.4f",
           sum->transactions, seconds, (double)sum->transactions / seconds, percentile_ms(sum, 0.5),
           percentile_ms(sum, 0.99), sum->errors, sum->opened, (double)sum->modifications / messages,
           1000 * own_cpu_seconds() / messages);
    print_letters("verdicts", sum->verdicts);
    print_letters("recipient_verdicts", sum->recipient_verdicts);
    printf("}\n");
}

static void compose(void)
{
    static const char *const name[HEADERS] = {"Received", "From", "To", "Subject", "Date", "Message-ID", "MIME-Version",
                                              "Content-Type", "Content-Transfer-Encoding", "User-Agent"};
    static const char *const value[HEADERS] = {
        "from client.example.net (client.example.net [192.0.2.10])\n\tby mx.example.org (Postfix) with ESMTP id 4XyZ00ABCDz1",
        NULL, "undisclosed-recipients:;", "A message of ordinary size", "Sun, 22 Nov 2026 06:00:00 +0000",
        "<20261122060000.1@client.example.net>", "1.0", "text/plain; charset=utf-8", "8bit", "load"};
    static char from[300];
    snprintf(from, sizeof from, "Some Body <%s>", options.sender);
    memcpy(message.header_name, name, sizeof name);
    memcpy(message.header_value, value, sizeof value);
    message.header_value[1] = from;
    message.body = allocate(NULL, (size_t)options.body_octets + 1);
    for (int i = 0; i < options.body_octets; i++)
        message.body[i] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"[i % 72];
}

static void read_options(int count, char **arguments)
{
    int letter;
    while ((letter = getopt(count, arguments, "s:c:t:m:1r:g:d:f:l:b:")) != -1)
        switch (letter) {
        case 's': options.socket = optarg; break;
        case 'c': options.connections = atoi(optarg); break;
        case 't': options.seconds = atof(optarg); break;
        case 'm': options.messages = atol(optarg); break;
        case '1': options.fresh = 1; break;
        case 'r': options.recipients = atoi(optarg); break;
        case 'g':
            if (options.group_count == MAX_GROUPS)
                fail("load: more than %d groups", MAX_GROUPS);
            options.groups[options.group_count++] = optarg;
            break;
        case 'd': options.domain = optarg; break;
        case 'f': options.sender = optarg; break;
        case 'l': options.login = optarg; break;
        case 'b': options.body_octets = atoi(optarg); break;
        default: exit(2);
        }
    if (options.socket == NULL || (strncmp(options.socket, "unix:", 5) && strncmp(options.socket, "inet:", 5)))
        fail("load: -s unix:PATH or -s inet:PORT@HOST is needed");
    if (options.connections < 1 || options.recipients < 1 || options.seconds <= 0 || options.messages < 0 ||
        options.body_octets < 0 || options.group_count > options.recipients || optind != count)
        fail("load: an argument is out of range");
}

static void ring_the_bell(void)
{
    struct timespec span = {.tv_sec = (time_t)options.seconds,
                            .tv_nsec = (long)((options.seconds - (double)(time_t)options.seconds) * 1e9)};
    nanosleep(&span, NULL);
    while (!atomic_load(&told))
        usleep(1000);
    atomic_store(&stopping, 1);
}

int main(int count, char **arguments)
{
    struct tally sum = {0};
    read_options(count, arguments);
    compose();
    atomic_store(&messages_left, options.messages);
    struct worker *workers = calloc((size_t)options.connections, sizeof *workers);
    if (workers == NULL)
        fail("load: out of memory");
    double started = now();
    for (int i = 0; i < options.connections; i++)
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            fail("load: cannot start thread %d", i);
    if (options.messages == 0)
        ring_the_bell();
    double ended = now();
    for (int i = 0; i < options.connections; i++)
        pthread_join(workers[i].thread, NULL);
    if (options.messages > 0)
        ended = now();
    for (int i = 0; i < options.connections; i++)
        add_tally(&sum, &workers[i].tally);
    print_figures(&sum, ended - started);
    return sum.opened > 0 ? 0 : 1;
}
