"""What is to be reached. Each target names a figure as the benchmarks report it (`Outcome.values`).

Ratios to the trivial C milter, whose work is the least a filter can do, and to Postfix's own `ldap:`
expansion.
"""

from tests.benchmarks.figures import Target

TARGETS = (
    Target(
        "throughput/unix/group/ours:C milter",
        "at least",
        0.90,
        "through Postfix to a 10-member group, Unix socket, of the C milter's messages per second",
    ),
    Target(
        "throughput/tcp/group/ours:C milter",
        "at least",
        0.90,
        "through Postfix to a 10-member group, TCP, of the C milter's (without its stalls)",
    ),
    Target(
        "throughput/tcp/group/ours:C milter on unix",
        "at least",
        0.90,
        "through Postfix to a 10-member group, ours on TCP, of the C milter's on a Unix socket",
    ),
    Target(
        "throughput/unix/persons/ours:C milter",
        "at least",
        0.90,
        "through Postfix to individuals, Unix socket, of the C milter's messages per second",
    ),
    Target(
        "acceptance/50000/ours:C milter",
        "at most",
        1.2,
        "acceptance of a message to 50,000 members, times the C milter's",
    ),
    Target(
        "acceptance/100/ldap:ours",
        "at least",
        5,
        "acceptance at 100 members, times faster than Postfix's ldap:",
    ),
    Target(
        "acceptance/1000/ldap:ours",
        "at least",
        8,
        "acceptance at 1,000 members, times faster than Postfix's ldap:",
    ),
    Target(
        "raw/unix/kept/8/ours:C milter",
        "at least",
        0.4,
        "raw transactions at 8 connections, of the C milter's",
    ),
    Target("raw/unix/kept/8/ours", "at least", 5000, "raw transactions per second at 8 connections"),
    Target(
        "raw/tcp/kept/8/ours:C milter",
        "at least",
        0.4,
        "raw transactions at 8 connections, TCP, of the C milter's",
    ),
    Target("memory/worker", "at most", 80, "memory of the largest worker (MB, PSS)"),
    Target("directory/first load", "at most", 15, "first load of 100,000 people and 10,000 groups (s)"),
    Target("directory/peak memory", "at most", 300, "peak memory of the synchroniser (MB)"),
    Target("directory/change to effect", "at most", 1, "from a change in LDAP to its effect on mail (s)"),
    Target(
        "panel-reads/10000 groups/slowest",
        "at most",
        300,
        "slowest read of the panel, 10,000 groups (CPU ms)",
    ),
    Target(
        "panel-reads/100000 groups/slowest",
        "at most",
        1000,
        "slowest read of the panel, 100,000 groups (CPU ms)",
    ),
    Target("panel-writes/a member comes/large", "at most", 1, "one member more among 100,000 (s)"),
    Target(
        "moderation/decision to delivered copies",
        "at most",
        1,
        "from a decision about held mail to its delivered copies (s)",
    ),
)
