/* The world as a private Sendmail of the tests sees it: preloaded into it (LD_PRELOAD), since it has no XCLIENT.
 *
 * - A client's address is what a file says that is named for the client's port, in the folder that
 *   SENDMAIL_CLIENTS names; without one it is the true one. So clients of any address connect over loopback.
 * - This host is called SENDMAIL_HOST: Sendmail would wait a minute for a machine whose name has no domain.
 * - No other name is known, and no name server is asked: nothing leaves the machine.
 * - What it tells syslog goes to the end of the file SENDMAIL_LOG.
 *
 * Sendmail cleans its environment, so these are read before main. It fails with what the real calls fail with.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

static char host[65] = "localhost.localdomain";
static char clients[256], log_file[256];

__attribute__((constructor)) static void read_environment(void)
{
    const char *value = getenv("SENDMAIL_HOST");
    if (value != NULL)
        snprintf(host, sizeof host, "%s", value);
    value = getenv("SENDMAIL_CLIENTS");
    if (value != NULL)
        snprintf(clients, sizeof clients, "%s", value);
    value = getenv("SENDMAIL_LOG");
    if (value != NULL)
        snprintf(log_file, sizeof log_file, "%s", value);
}

static void log_line(const char *format, va_list arguments)
{
    char line[4096];
    int length = vsnprintf(line, sizeof line - 1, format, arguments);
    FILE *file = fopen(log_file, "ae");

    if (file == NULL)
        return;
    if (length > (int)sizeof line - 2)
        length = sizeof line - 2;
    fprintf(file, "%d %.*s\n", getpid(), length, line);
    fclose(file);
}

void syslog(int priority, const char *format, ...)
{
    va_list arguments;

    (void)priority;
    va_start(arguments, format);
    log_line(format, arguments);
    va_end(arguments);
}

void __syslog_chk(int priority, int flag, const char *format, ...)
{
    va_list arguments;

    (void)priority, (void)flag;
    va_start(arguments, format);
    log_line(format, arguments);
    va_end(arguments);
}

/* Put the address that a client is to have in place of the one that it has. */
static void dress(struct sockaddr *address, socklen_t *length, socklen_t room)
{
    struct sockaddr_in *four = (struct sockaddr_in *)address;
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    char path[300], text[INET6_ADDRSTRLEN] = "";
    FILE *file;

    if (address == NULL || address->sa_family != AF_INET || clients[0] == '\0')
        return;
    snprintf(path, sizeof path, "%s/%u", clients, ntohs(four->sin_port));
    file = fopen(path, "re");
    if (file == NULL)
        return;
    if (fscanf(file, "%45s", text) == 1 && strchr(text, ':') == NULL) {
        inet_pton(AF_INET, text, &four->sin_addr);
    } else if (inet_pton(AF_INET6, text, &six.sin6_addr) == 1 && room >= sizeof six) {
        six.sin6_port = four->sin_port;
        memcpy(address, &six, sizeof six);
        *length = sizeof six;
    }
    fclose(file);
}

int accept(int listening, struct sockaddr *address, socklen_t *length)
{
    int (*real)(int, struct sockaddr *, socklen_t *) = dlsym(RTLD_NEXT, "accept");
    socklen_t room = length == NULL ? 0 : *length;
    int connection = real(listening, address, length);

    if (connection >= 0)
        dress(address, length, room);
    return connection;
}

int getpeername(int connection, struct sockaddr *address, socklen_t *length)
{
    int (*real)(int, struct sockaddr *, socklen_t *) = dlsym(RTLD_NEXT, "getpeername");
    socklen_t room = *length;
    int result = real(connection, address, length);

    if (result == 0)
        dress(address, length, room);
    return result;
}

int gethostname(char *name, size_t size)
{
    snprintf(name, size, "%s", host);
    return 0;
}

int uname(struct utsname *about)
{
    memset(about, 0, sizeof *about);
    strcpy(about->sysname, "Linux");
    memcpy(about->nodename, host, sizeof about->nodename);
    return 0;
}

struct hostent *gethostbyname2(const char *name, int family)
{
    static struct in_addr loopback;
    static char *addresses[] = {(char *)&loopback, NULL}, *aliases[] = {NULL};
    static struct hostent us = {.h_addrtype = AF_INET, .h_length = sizeof loopback};

    loopback.s_addr = htonl(INADDR_LOOPBACK);
    if (family == AF_INET && (strcmp(name, host) == 0 || strcmp(name, "localhost") == 0)) {
        us.h_name = host;
        us.h_aliases = aliases;
        us.h_addr_list = addresses;
        return &us;
    }
    h_errno = HOST_NOT_FOUND;
    return NULL;
}

struct hostent *gethostbyaddr(const void *address, socklen_t length, int family)
{
    (void)address, (void)length, (void)family;
    h_errno = HOST_NOT_FOUND;
    return NULL;
}

static int unknown(void)
{
    h_errno = HOST_NOT_FOUND;
    return -1;
}

int res_query(const char *name, int class, int type, unsigned char *answer, int length)
{
    (void)name, (void)class, (void)type, (void)answer, (void)length;
    return unknown();
}

int res_search(const char *name, int class, int type, unsigned char *answer, int length)
{
    return res_query(name, class, type, answer, length);
}

int res_querydomain(const char *name, const char *domain, int class, int type, unsigned char *answer, int length)
{
    (void)domain;
    return res_query(name, class, type, answer, length);
}
