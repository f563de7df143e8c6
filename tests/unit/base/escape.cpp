#include "base/escape.hpp"

#include <boost/test/unit_test.hpp>

using namespace jarvis;

BOOST_AUTO_TEST_SUITE(escaping)

BOOST_AUTO_TEST_CASE(plain_and_accented_text_stays)
{
    BOOST_TEST(escape_for_terminal("") == "");
    BOOST_TEST(escape_for_terminal("run_7 (a+b)") == "run_7 (a+b)");
    BOOST_TEST(escape_for_terminal("Müller 東京 🚀") == "Müller 東京 🚀");
    BOOST_TEST(escape_for_terminal("C:\\temp") == "C:\\temp");
}

BOOST_AUTO_TEST_CASE(what_acts_on_a_terminal_is_shown)
{
    BOOST_TEST(escape_for_terminal("a\nb\tc\rd") == "a\\nb\\tc\\rd");
    BOOST_TEST(escape_for_terminal("\x1b[31mred") == "\\x1b[31mred");
    BOOST_TEST(escape_for_terminal(std::string_view("a\0b", 3)) == "a\\x00b");
    BOOST_TEST(escape_for_terminal("\x7f") == "\\x7f");
    BOOST_TEST(escape_for_terminal("\xc2\x9b"
                                   "31m") == "\\u009b31m");                  // CSI in its C1 form
    BOOST_TEST(escape_for_terminal("a\u202e" "fdp.exe") == "a\\u202efdp.exe"); // right-to-left override
    BOOST_TEST(escape_for_terminal("x\u200by") == "x\\u200by");              // zero width
    BOOST_TEST(escape_for_terminal("\U000e0041") == "\\U000e0041");          // a tag
}

BOOST_AUTO_TEST_CASE(a_combining_mark_needs_something_to_sit_on)
{
    BOOST_TEST(escape_for_terminal("e\u0301") == "e\u0301");
    BOOST_TEST(escape_for_terminal("\u0301") == "\\u0301");
    BOOST_TEST(escape_for_terminal("\n\u0301") == "\\n\\u0301");
}

BOOST_AUTO_TEST_CASE(invalid_utf8_is_shown_byte_by_byte)
{
    BOOST_TEST(escape_for_terminal("caf\xe9") == "caf\\xe9");
    BOOST_TEST(escape_for_terminal("\xc3") == "\\xc3");                         // cut short
    BOOST_TEST(escape_for_terminal("\xc0\xaf") == "\\xc0\\xaf");                // overlong
    BOOST_TEST(escape_for_terminal("\xe0\x80\xaf") == "\\xe0\\x80\\xaf");       // overlong
    BOOST_TEST(escape_for_terminal("\xed\xa0\x80") == "\\xed\\xa0\\x80");       // a surrogate
    BOOST_TEST(escape_for_terminal("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80"); // above U+10FFFF
    BOOST_TEST(escape_for_terminal("\xff\xfe") == "\\xff\\xfe");
}

BOOST_AUTO_TEST_CASE(utf8_or_not)
{
    BOOST_TEST(is_utf8(""));
    BOOST_TEST(is_utf8("a\n\x1b ü 東 🚀"));
    BOOST_TEST(is_utf8("\U0010ffff"));
    BOOST_TEST(!is_utf8("caf\xe9"));
    BOOST_TEST(!is_utf8("\x80"));
    BOOST_TEST(!is_utf8("\xf0\x9f\x9a"));
    BOOST_TEST(escape_invalid_utf8("a\n\xe9ü") == "a\n\\xe9ü");
}

BOOST_AUTO_TEST_CASE(every_byte_string_becomes_one_line_of_utf8)
{
    for (int a = 0; a < 256; ++a)
        for (int b = 0; b < 256; ++b) {
            const char bytes[]{static_cast<char>(a), static_cast<char>(b), 'x'};
            auto escaped = escape_for_terminal({bytes, 3});
            BOOST_REQUIRE(is_utf8(escaped));
            for (unsigned char c : escaped)
                BOOST_REQUIRE((c >= 0x20 && c != 0x7f));
            BOOST_REQUIRE(escape_for_terminal(escaped) == escaped);
        }
}

BOOST_AUTO_TEST_CASE(widths)
{
    BOOST_TEST(terminal_width("") == 0u);
    BOOST_TEST(terminal_width("abc") == 3u);
    BOOST_TEST(terminal_width("Müller") == 6u);
    BOOST_TEST(terminal_width("東京") == 4u);
    BOOST_TEST(terminal_width("e\u0301") == 1u);
}

BOOST_AUTO_TEST_CASE(cutting_keeps_characters_whole)
{
    BOOST_TEST(fit_to_width("abcdef", 6) == "abcdef");
    BOOST_TEST(fit_to_width("abcdef", 5) == "abcd+");
    BOOST_TEST(fit_to_width("東京都", 5) == "東京+");
    BOOST_TEST(fit_to_width("東京都", 4) == "東+");
    BOOST_TEST(fit_to_width("ab", 1) == "+");
    BOOST_TEST(fit_to_width("ab", 0) == "");
    BOOST_TEST(fit_to_width("e\u0301xyz", 3) == "e\u0301x+");
}

BOOST_AUTO_TEST_SUITE_END()
