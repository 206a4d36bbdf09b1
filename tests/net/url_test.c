/*
 * url_test.c - URLs of servers: which are taken, as what, and which are refused.
 */
#include "support/api_fixture.h"

#include "net/net.h"

struct good_url {
    const char *url, *origin, *host, *path;
    uint16_t port;
    bool tls, loopback;
};

static void url__is_taken_apart(void **state) {
    (void)state;
    static const struct good_url cases[] = {
        {"https://db.example.com", "https://db.example.com", "db.example.com", "", 443, true,
         false},
        {"libsql://a-b.turso.io", "https://a-b.turso.io", "a-b.turso.io", "", 443, true, false},
        {"libsql://a.io?tls=1", "https://a.io", "a.io", "", 443, true, false},
        {"libsql://a.io:81?tls=0", "http://a.io:81", "a.io", "", 81, false, false},
        {"wss://a_b.io/", "https://a_b.io", "a_b.io", "", 443, true, false},
        {"ws://localhost:8080/", "http://localhost:8080", "localhost", "", 8080, false, true},
        {"http://LocalHost", "http://localhost", "localhost", "", 80, false, true},
        {"HTTP://127.0.0.1:1/dev/x/", "http://127.0.0.1:1", "127.0.0.1", "/dev/x", 1, false, true},
        {"http://127.255.0.9", "http://127.255.0.9", "127.255.0.9", "", 80, false, true},
        {"http://128.0.0.1", "http://128.0.0.1", "128.0.0.1", "", 80, false, false},
        {"http://127.1", "http://127.1", "127.1", "", 80, false, false},
        {"http://127.0.0.1.evil.com", "http://127.0.0.1.evil.com", "127.0.0.1.evil.com", "", 80,
         false, false},
        {"http://localhost.evil.com", "http://localhost.evil.com", "localhost.evil.com", "", 80,
         false, false},
        {"http://[::1]:65535", "http://[::1]:65535", "::1", "", 65535, false, true},
        {"http://[0:0:0:0:0:0:0:1]", "http://[0:0:0:0:0:0:0:1]", "0:0:0:0:0:0:0:1", "", 80, false,
         true},
        {"https://[FE80::2]/p", "https://[fe80::2]", "fe80::2", "/p", 443, true, false},
        {"http://h:80?tls=0", "http://h:80", "h", "", 80, false, false},
        {"https://h/a//b%20c///?tls=1", "https://h", "h", "/a//b%20c", 443, true, false},
        {"https://h?", "https://h", "h", "", 443, true, false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct good_url *c = &cases[i];
        struct net_url u;
        mneme_error error;
        OK(net_url_parse(c->url, &u, &error), &error);
        assert_string_equal(u.origin, c->origin);
        assert_string_equal(u.host, c->host);
        assert_string_equal(u.path, c->path);
        if (u.port != c->port || u.tls != c->tls || u.loopback != c->loopback)
            fail_msg("%s: port %u, tls %d, loopback %d", c->url, u.port, u.tls, u.loopback);
    }
}

static void url__is_refused_with_its_reason(void **state) {
    (void)state;
    static const struct {
        const char *url, *says;
    } cases[] = {
        {"", "no scheme"},
        {"localhost:8080", "no scheme"},
        {"file:///etc", "none of https"},
        {"ftp://h", "none of https"},
        {"https://", "no host"},
        {"https:///x", "no host"},
        {"https://:80", "no host"},
        {"https://user@h", "user name or password"},
        {"https://user:pass@h", "user name or password"},
        {"https://h:80@evil", "user name or password"},
        {"https://user:pa/ss@h", "user name or password"},
        {"https://h?authToken=x", "token never goes into a URL"},
        {"https://h?tls=2", "only tls=0"},
        {"https://h?tls=0", "disagree"},
        {"http://h?tls=1", "disagree"},
        {"https://h#x", "#fragment"},
        {"https://h/x#y", "#fragment"},
        {"https://h:", "port"},
        {"https://h:0", "port"},
        {"https://h:65536", "port"},
        {"https://h:-1", "port"},
        {"https://h:8a", "port"},
        {"https://h:99999999999999999999", "port"},
        {"https://h o", "no letter"},
        {"https://h\r\nX: y", "no letter"},
        {"https://h%41", "no letter"},
        {"https://b\xC3\xBC"
         "cher.de",
         "xn--"},
        {"https://[::1", "no IPv6"},
        {"https://[]", "no IPv6"},
        {"https://[1.2.3.4]", "no IPv6"},
        {"https://[fe80::1%25eth0]", "no IPv6"},
        {"https://[::1]x", "behind its host"},
        {"https://h/a b", "%XX"},
        {"https://h/\n", "%XX"},
        {"https://h/\\", "%XX"},
        {"https://h/\x7f", "%XX"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        mneme_error error;
        struct net_url u = {.port = 7};
        REFUSED(net_url_parse(cases[i].url, &u, &error), MNEME_INVALID, &error);
        if (!strstr(error.message, cases[i].says))
            fail_msg("%s: %s", cases[i].url, error.message);
        assert_int_equal(u.port, 7); /* untouched */
    }
}

static void url__of_a_secret_is_not_shown(void **state) {
    (void)state;
    static const char *const urls[] = {"https://u:hunter2@h", "https://h?authToken=hunter2",
                                       "hunter2://h", "https://h/hunter2 x", "https://h:hunter2"};
    for (size_t i = 0; i < COUNT_OF(urls); i++) {
        mneme_error error;
        struct net_url u;
        REFUSED(net_url_parse(urls[i], &u, &error), MNEME_INVALID, &error);
        assert_null(strstr(error.message, "hunter2"));
    }
}

static void url__has_limits(void **state) {
    (void)state;
    char url[1024];
    struct net_url u;
    mneme_error error;
    snprintf(url, sizeof url, "https://%0255d:65535", 0);
    OK(net_url_parse(url, &u, &error), &error);
    assert_int_equal(strlen(u.origin), 8 + 255 + 6);
    snprintf(url, sizeof url, "https://%0256d", 0);
    REFUSED(net_url_parse(url, &u, &error), MNEME_INVALID, &error);
    snprintf(url, sizeof url, "https://h/%0510d", 0);
    OK(net_url_parse(url, &u, &error), &error);
    assert_int_equal(strlen(u.path), 511);
    snprintf(url, sizeof url, "https://h/%0511d", 0);
    REFUSED(net_url_parse(url, &u, &error), MNEME_INVALID, &error);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(url__is_taken_apart),
        cmocka_unit_test(url__is_refused_with_its_reason),
        cmocka_unit_test(url__of_a_secret_is_not_shown),
        cmocka_unit_test(url__has_limits),
    };
    return cmocka_run_group_tests_name("net/url", tests, NULL, NULL);
}
