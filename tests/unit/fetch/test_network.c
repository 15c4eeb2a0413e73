/* SPDX-License-Identifier: Apache-2.0 */
/* fetch/servers/network.h: what the kernel tells of addresses, and a sleep. */
#include "base/attr.h"
#include "base/clock.h"
#include "fetch/servers/network.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

static char gone[256];
static struct network_news news;

static void on_gone(void *arg, const char *address)
{
	size_t used = strlen(gone);

	(void)arg;
	(void)snprintf(gone + used, sizeof(gone) - used, "%s,", address);
}

static unsigned char bytes[1024];
static size_t size_bytes;

static int begin(void **state)
{
	(void)state;
	gone[0] = '\0';
	size_bytes = 0;
	memset(bytes, 0, sizeof(bytes));
	news = (struct network_news){.gone = on_gone};
	return 0;
}

static void add(const void *part, size_t part_bytes)
{
	memcpy(bytes + size_bytes, part, part_bytes);
	size_bytes += NLMSG_ALIGN(part_bytes);
}

static void add_address(
    unsigned char family, unsigned short type, const char *text)
{
	unsigned char raw[16];
	size_t raw_bytes = family == AF_INET6 ? 16 : 4;
	struct rtattr attribute = {.rta_type = type,
	    .rta_len = (unsigned short)(sizeof(attribute) + raw_bytes)};

	assert_int_equal(inet_pton(family, text, raw), 1);
	add(&attribute, sizeof(attribute));
	add(raw, raw_bytes);
}

static void add_message(
    unsigned short type, unsigned char family, const char *address)
{
	size_t start = size_bytes;
	struct nlmsghdr message = {.nlmsg_type = type};
	struct ifaddrmsg head = {.ifa_family = family};

	add(&message, sizeof(message));
	add(&head, sizeof(head));
	if (family == AF_INET)
		add_address(family, IFA_ADDRESS, "192.0.2.99"); /* the peer's */
	add_address(
	    family, family == AF_INET ? IFA_LOCAL : IFA_ADDRESS, address);
	message.nlmsg_len = (unsigned)(size_bytes - start);
	memcpy(bytes + start, &message, sizeof(message));
}

static void addresses_that_went_are_told(void **state)
{
	(void)state;
	add_message(RTM_DELADDR, AF_INET, "192.0.2.7");
	add_message(RTM_DELADDR, AF_INET6, "2001:db8::7");
	network_parse(bytes, size_bytes, &news);
	assert_string_equal(gone, "192.0.2.7,2001:db8::7,");
	assert_false(news.came);
	add_message(RTM_NEWADDR, AF_INET, "192.0.2.8");
	gone[0] = '\0';
	network_parse(bytes, size_bytes, &news);
	assert_true(news.came);
	assert_string_equal(gone, "192.0.2.7,2001:db8::7,");
}

static void anything_may_stand_there(void **state)
{
	(void)state;
	add_message(RTM_DELADDR, AF_INET, "192.0.2.7");
	add_message(RTM_DELADDR, AF_INET6, "2001:db8::7");
	for (size_t cut = 0; cut < size_bytes; cut++) {
		unsigned char *exact = malloc(cut + 1);

		assert_non_null(exact);
		memcpy(exact, bytes, cut);
		network_parse(exact, cut, &news);
		free(exact);
	}
	for (size_t at = 0; at < size_bytes; at++) {
		unsigned char before = bytes[at];

		gone[0] = '\0';
		for (unsigned value = 0; value < 256; value += 15) {
			bytes[at] = (unsigned char)value;
			network_parse(bytes, size_bytes, &news);
		}
		bytes[at] = before;
	}
}

static void a_sleep_is_told_once(void **state)
{
	struct clock clock = {.hand_driven = 1, .slept_ms = 5000};
	struct network network = {.fd = -1, .slept_ms = 5000};

	(void)state;
	assert_false(network_slept(&network, &clock));
	/* As two clocks that are not read at once differ. */
	atomic_store(&clock.slept_ms, 5000 + NETWORK_SLEPT_MIN_MS - 1);
	assert_false(network_slept(&network, &clock));
	atomic_store(&clock.slept_ms, 3605000);
	assert_true(network_slept(&network, &clock));
	assert_false(network_slept(&network, &clock));
}

static void the_systems_clocks_go_together(void **state)
{
	struct network network;

	(void)state;
	network_init(&network, clock_system());
	for (unsigned i = 0; i < 1000; i++)
		assert_false(network_slept(&network, clock_system()));
	network_fini(&network);
	assert_int_equal(network.fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(addresses_that_went_are_told, begin),
	    cmocka_unit_test_setup(anything_may_stand_there, begin),
	    cmocka_unit_test_setup(a_sleep_is_told_once, begin),
	    cmocka_unit_test_setup(the_systems_clocks_go_together, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
