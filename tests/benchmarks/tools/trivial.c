/* trivial: the least a C filter can do, as the yardstick for ours.
 *
 * Replaces each recipient that is one of the groups named on the command line by so many members, at the end of the
 * message: members are added first, then the group is deleted.  No directory, no decision, no log.  libmilter asks the
 * MTA only for the stages that have a callback here: MAIL, RCPT, end of message (and DATA with -n).
 *
 * usage: trivial -s SOCKET -g GROUP=MEMBERS [-g ...] [-d DOMAIN] [-o] [-n]
 *   -s  unix:PATH or inet:PORT@HOST
 *   -d  domain of the members, personN@DOMAIN (default example.org)
 *   -o  adds members with ORCPT= and NOTIFY=, as a real group filter does
 *   -n  TCP without its stalls: opens the socket itself with TCP_NODELAY and answers DATA.  libmilter as it comes
 *       writes replies in pieces, and each message waits for a delayed acknowledgement.  Needs a libmilter that takes
 *       "fd:N", as Debian's does.
 *
 * Fails (status 1) when the socket cannot be opened, 2 on bad arguments. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <libmilter/mfapi.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_GROUPS = 32, MAX_MEMBERS = 1000000 };

struct group {
    const char *address;
    int members;
};

/* Which groups the message is for, and how each was spelt (Postfix deletes on an exact match only). */
struct transaction {
    char *spelling[MAX_GROUPS];
};

static struct group groups[MAX_GROUPS];
static int group_count, member_count, with_dsn;
static char **members;

static void forget(struct transaction *transaction)
{
    for (int i = 0; i < group_count; i++) {
        free(transaction->spelling[i]);
        transaction->spelling[i] = NULL;
    }
}

static sfsistat on_mail(SMFICTX *context, char **arguments)
{
    struct transaction *transaction = smfi_getpriv(context);
    (void)arguments;
    if (transaction == NULL) {
        transaction = calloc(1, sizeof *transaction);
        if (transaction == NULL)
            return SMFIS_TEMPFAIL;
        smfi_setpriv(context, transaction);
    }
    forget(transaction);
    return SMFIS_CONTINUE;
}

static int same_address(const char *argument, const char *address)
{
    size_t length = strlen(address);
    if (*argument == '<')
        argument++;
    return strncasecmp(argument, address, length) == 0 && (argument[length] == '>' || argument[length] == '\0');
}

static sfsistat on_recipient(SMFICTX *context, char **arguments)
{
    struct transaction *transaction = smfi_getpriv(context);
    for (int i = 0; i < group_count; i++)
        if (transaction->spelling[i] == NULL && same_address(arguments[0], groups[i].address))
            transaction->spelling[i] = strdup(arguments[0]);
    return SMFIS_CONTINUE;
}

static sfsistat on_data(SMFICTX *context)
{
    (void)context;
    return SMFIS_CONTINUE;
}

static int expand(SMFICTX *context, const struct group *group, char *spelling)
{
    char dsn[300];
    snprintf(dsn, sizeof dsn, "NOTIFY=FAILURE ORCPT=rfc822;%s", group->address);
    for (int i = 0; i < group->members; i++) {
        int done = with_dsn ? smfi_addrcpt_par(context, members[i], dsn) : smfi_addrcpt(context, members[i]);
        if (done != MI_SUCCESS)
            return MI_FAILURE;
    }
    return smfi_delrcpt(context, spelling);
}

static sfsistat on_end_of_message(SMFICTX *context)
{
    struct transaction *transaction = smfi_getpriv(context);
    for (int i = 0; i < group_count; i++)
        if (transaction->spelling[i] != NULL && expand(context, &groups[i], transaction->spelling[i]) != MI_SUCCESS)
            return SMFIS_TEMPFAIL;
    forget(transaction);
    return SMFIS_CONTINUE;
}

static sfsistat on_close(SMFICTX *context)
{
    struct transaction *transaction = smfi_getpriv(context);
    if (transaction != NULL)
        forget(transaction);
    free(transaction);
    smfi_setpriv(context, NULL);
    return SMFIS_CONTINUE;
}

static void fail(int status, const char *what, const char *detail)
{
    fprintf(stderr, "trivial: %s: %s\n", what, detail);
    exit(status);
}

static void take_group(char *argument)
{
    char *equals = strrchr(argument, '=');
    if (equals == NULL || group_count == MAX_GROUPS)
        fail(2, "not GROUP=MEMBERS, or too many groups", argument);
    *equals = '\0';
    int count = atoi(equals + 1);
    if (count < 1 || count > MAX_MEMBERS)
        fail(2, "number of members out of range", equals + 1);
    groups[group_count++] = (struct group){argument, count};
    if (count > member_count)
        member_count = count;
}

static void name_members(const char *domain)
{
    members = calloc((size_t)member_count, sizeof *members);
    for (int i = 0; members != NULL && i < member_count; i++)
        if (asprintf(&members[i], "<person%d@%s>", i, domain) < 0)
            fail(1, "out of memory", domain);
    if (members == NULL)
        fail(1, "out of memory", domain);
}

/* A listening socket with TCP_NODELAY, which accepted sockets inherit; answers its "fd:N" name for libmilter. */
static char *listen_without_delay(const char *port_at_host)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int port, at, one = 1;
    char *name;
    if (sscanf(port_at_host, "%d@%n", &port, &at) != 1 || inet_aton(port_at_host + at, &address.sin_addr) == 0)
        fail(2, "not PORT@HOST", port_at_host);
    address.sin_port = htons((uint16_t)port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 1000) < 0)
        fail(1, "cannot listen", port_at_host);
    if (asprintf(&name, "fd:%d", fd) < 0)
        fail(1, "out of memory", port_at_host);
    return name;
}

int main(int count, char **arguments)
{
    struct smfiDesc filter = {.xxfi_name = "trivial", .xxfi_version = SMFI_VERSION,
                              .xxfi_flags = SMFIF_ADDRCPT | SMFIF_DELRCPT, .xxfi_envfrom = on_mail,
                              .xxfi_envrcpt = on_recipient, .xxfi_eom = on_end_of_message, .xxfi_close = on_close};
    const char *domain = "example.org";
    char *socket_name = NULL;
    int letter, without_delay = 0;
    while ((letter = getopt(count, arguments, "s:g:d:on")) != -1)
        switch (letter) {
        case 's': socket_name = optarg; break;
        case 'g': take_group(optarg); break;
        case 'd': domain = optarg; break;
        case 'o': with_dsn = 1; break;
        case 'n': without_delay = 1; break;
        default: return 2;
        }
    if (socket_name == NULL || group_count == 0)
        fail(2, "missing", "-s SOCKET and -g GROUP=MEMBERS");
    name_members(domain);
    if (with_dsn)
        filter.xxfi_flags |= SMFIF_ADDRCPT_PAR;
    if (without_delay) {
        filter.xxfi_data = on_data;
        if (strncmp(socket_name, "inet:", 5) == 0)
            socket_name = listen_without_delay(socket_name + 5);
    }
    umask(0);  /* the MTA runs as another user; the directory around the socket is what protects it */
    /* opensocket(1) takes away what an earlier run left at the path */
    if (smfi_setconn(socket_name) != MI_SUCCESS || smfi_register(filter) != MI_SUCCESS || smfi_opensocket(1) != MI_SUCCESS)
        fail(1, "libmilter refuses", socket_name);
    return smfi_main() == MI_SUCCESS ? 0 : 1;
}
