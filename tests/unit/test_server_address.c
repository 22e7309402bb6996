#include "server/address.h"
#include "unit_test.h"

static void addresses_come_back_as_they_were(void **state) {
    (void)state;
    const char *const texts[] = {"127.0.0.1:8080",   "0.0.0.0:0",    "255.255.255.255:65535",
                                 "[::1]:8080",       "[::]:1",       "[fe80::1:2]:80",
                                 "unix:/run/a.sock", "unix:relative"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct sockaddr_storage address;
        char text[ADDRESS_TEXT_SIZE];
        assert_int_equal(address_parse(texts[i], &address, NULL), STATUS_OK);
        address_print(&address, text);
        assert_string_equal(text, texts[i]);
    }
}

static void localhost_is_a_number(void **state) {
    (void)state;
    struct sockaddr_storage address;
    char text[ADDRESS_TEXT_SIZE];
    assert_int_equal(address_parse("localhost:80", &address, NULL), STATUS_OK);
    address_print(&address, text);
    assert_string_equal(text, "127.0.0.1:80");
}

static void what_is_no_address_is_refused(void **state) {
    (void)state;
    const char *const texts[] = {"",
                                 "unix:",
                                 "unix:/"
                                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                                 ":",
                                 ":80",
                                 "80",
                                 "a",
                                 "127.0.0.1",
                                 "127.0.0.1:",
                                 "127.0.0.1:65536",
                                 "127.0.0.1:000080",
                                 "127.0.0.1:8x",
                                 "127.0.0.1: 80",
                                 "1.2.3:80",
                                 "256.0.0.1:80",
                                 "::1:80",
                                 "[]:80",
                                 "[::1]",
                                 "[::1:80",
                                 "::1]:80",
                                 "[1.2.3.4]:80",
                                 "[::1%eth0]:80",
                                 "example.org:80",
                                 "[::11111111111111111111111111111111111111111111111111111111111111111]:80"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct sockaddr_storage address;
        struct error error;
        assert_int_equal(address_parse(texts[i], &address, &error), STATUS_INVALID_ARGUMENT);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_come_back_as_they_were),
        cmocka_unit_test(localhost_is_a_number),
        cmocka_unit_test(what_is_no_address_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
