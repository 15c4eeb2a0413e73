/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/servers/network.c - see network.h. */
#include "fetch/servers/network.h"

#include "base/clock.h"
#include "base/log.h"
#include "fetch/calls/call.h"
#include "fetch/calls/request.h"
#include "fetch/engine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void network_init(struct network *network, const struct clock *clock)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK,
	    .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR};

	*network = (struct network){.slept_ms = clock_slept_ms(clock)};
	network->fd = socket(
	    AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (network->fd < 0)
		return;
	if (bind(network->fd, (const struct sockaddr *)&address,
	        sizeof(address)) < 0)
		network_fini(network);
}

void network_fini(struct network *network)
{
	if (network->fd >= 0)
		(void)close(network->fd);
	network->fd = -1;
}

/* The address of an RTM_DELADDR, of this end; false: there is none. */
static bool address_of(
    const unsigned char *at, size_t left_bytes, char out[NETWORK_ADDRESS_BYTES])
{
	struct ifaddrmsg head;
	struct rtattr attribute;
	bool found = false;

	if (left_bytes < sizeof(head))
		return false;
	memcpy(&head, at, sizeof(head));
	at += NLMSG_ALIGN(sizeof(head));
	left_bytes -= NLMSG_ALIGN(sizeof(head));
	while (left_bytes >= sizeof(attribute)) {
		size_t need = head.ifa_family == AF_INET6 ? 16 : 4;
		size_t step;

		memcpy(&attribute, at, sizeof(attribute));
		if (attribute.rta_len < sizeof(attribute) ||
		    attribute.rta_len > left_bytes)
			break;
		/* IFA_LOCAL where there is one: of a line between two points
		 * IFA_ADDRESS is the other's. */
		if ((attribute.rta_type == IFA_LOCAL ||
		        (attribute.rta_type == IFA_ADDRESS && !found)) &&
		    attribute.rta_len == sizeof(attribute) + need)
			found =
			    inet_ntop(head.ifa_family, at + sizeof(attribute),
			        out, NETWORK_ADDRESS_BYTES) != NULL;
		step = RTA_ALIGN(attribute.rta_len);
		if (step > left_bytes)
			break;
		at += step;
		left_bytes -= step;
	}
	return found;
}

void network_parse(
    const void *bytes, size_t size_bytes, struct network_news *news)
{
	const unsigned char *at = bytes;
	struct nlmsghdr message;
	char address[NETWORK_ADDRESS_BYTES];

	while (size_bytes >= sizeof(message)) {
		size_t step;

		memcpy(&message, at, sizeof(message));
		if (message.nlmsg_len < sizeof(message) ||
		    message.nlmsg_len > size_bytes)
			return;
		if (message.nlmsg_type == RTM_NEWADDR)
			news->came = true;
		if (message.nlmsg_type == RTM_DELADDR &&
		    address_of(at + NLMSG_HDRLEN,
		        message.nlmsg_len - NLMSG_HDRLEN, address))
			news->gone(news->arg, address);
		step = NLMSG_ALIGN(message.nlmsg_len);
		if (step > size_bytes)
			return;
		at += step;
		size_bytes -= step;
	}
}

bool network_slept(struct network *network, const struct clock *clock)
{
	uint64_t slept_ms = clock_slept_ms(clock);
	bool slept = slept_ms >= network->slept_ms + NETWORK_SLEPT_MIN_MS;

	if (slept || slept_ms < network->slept_ms)
		network->slept_ms = slept_ms;
	return slept;
}

/* Whatever failed before is worth another look. */
static void try_again(struct fetch *fetch) REQUIRES(fetch_thread);

static void try_again(struct fetch *fetch)
{
	for (unsigned i = 0; i < fetch->server_count; i++) {
		choice_worked(&fetch->servers[i].choice);
		server_show_choice(&fetch->servers[i]);
	}
	call_wake_delayed(fetch);
}

/* `address`: of this end of the connections that are dead; NULL: all are. */
static void changed(struct fetch *fetch, const char *address, const char *why)
    REQUIRES(fetch_thread);

static void changed(struct fetch *fetch, const char *address, const char *why)
{
	static struct log_limit limit;
	unsigned again = call_restart(fetch, address);

	fetch->network.changed_ms = fetch->now_ms;
	try_again(fetch);
	log_limited(&limit, 10000, LOG_LEVEL_INFO, LOG_FETCH,
	    "the network has changed", "why=%s address=%s asked_again=%u",
	    LOG_TEXT(why), LOG_TEXT(address != NULL ? address : ""), again);
}

static void on_gone(void *arg, const char *address)
{
	struct fetch *fetch = arg;

	fetch_assert_thread(fetch);
	changed(fetch, address, "an address went");
}

void network_ready(struct fetch *fetch)
{
	struct network_news news = {.gone = on_gone, .arg = fetch};
	_Alignas(struct nlmsghdr) unsigned char bytes[16384];
	ssize_t got;

	/* The kernel alone sends to its groups. When it had to drop some
	 * (ENOBUFS), silence tells what they would have. */
	while ((got = recv(fetch->network.fd, bytes, sizeof(bytes), 0)) > 0 ||
	    (got < 0 && (errno == EINTR || errno == ENOBUFS))) {
		if (got > 0)
			network_parse(bytes, (size_t)got, &news);
	}
	if (news.came)
		try_again(fetch);
}

void network_look(struct fetch *fetch)
{
	if (network_slept(&fetch->network, fetch->clock))
		changed(fetch, NULL, "the machine has slept");
}

void network_prepare(const struct fetch *fetch, CURL *easy)
{
	uint64_t changed_ms = fetch->network.changed_ms;
	uint64_t since_ms = fetch->now_ms - changed_ms;
	long age_s = 0;

	if (changed_ms == 0)
		return;
	/* libcurl counts whole seconds, so it may be one too strict. */
	if (since_ms >= NETWORK_FRESH_MS && since_ms < NETWORK_OLD_MS)
		age_s = (long)(since_ms / 1000) - 1;
	(void)curl_easy_setopt(
	    easy, CURLOPT_FRESH_CONNECT, since_ms < NETWORK_FRESH_MS ? 1L : 0L);
	(void)curl_easy_setopt(easy, CURLOPT_MAXLIFETIME_CONN, age_s);
}
