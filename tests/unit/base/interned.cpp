#include "base/interned.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <thread>

using namespace jarvis;

BOOST_AUTO_TEST_SUITE(interned)

BOOST_AUTO_TEST_CASE(alike_values_are_one)
{
    const InternedText a = "/home/alice/a long enough path to be on the heap";
    const InternedText b = std::string(*a);
    const InternedText other = "/home/bob";
    BOOST_TEST(&*a == &*b);
    BOOST_TEST((a == b));
    BOOST_TEST(!(a == other));
    BOOST_TEST(a->starts_with("/home"));
    const std::string longer = *a + "/and more";
    const InternedText viewed = std::string_view(longer).substr(0, a->size());
    BOOST_TEST(&*viewed == &*a);
}

BOOST_AUTO_TEST_CASE(nothing_is_empty)
{
    InternedText none;
    BOOST_TEST(none->empty());
    BOOST_TEST((none == InternedText("")));
    none = "text";
    const auto moved = std::move(none);
    BOOST_TEST(*moved == "text");
    BOOST_TEST(InternedTexts()->empty());
    BOOST_TEST((InternedTexts(std::vector<std::string>{"a", "b"}) == InternedTexts(std::vector<std::string>{"a", "b"})));
    BOOST_TEST(!(InternedTexts(std::vector<std::string>{"ab"}) == InternedTexts(std::vector<std::string>{"a", "b"})));
}

// A value whose last holder goes while another thread asks for it is either found or made anew.
BOOST_AUTO_TEST_CASE(threads_that_come_and_go)
{
    std::atomic<int> wrong = 0;
    const auto work = [&] {
        for (int i = 0; i < 20'000; ++i) {
            const auto text = "text " + std::to_string(i % 3);
            const InternedText held = text;
            const auto copy = held;
            if (*copy != text || !(held == InternedText(text)))
                ++wrong;
        }
    };
    std::thread one(work), two(work), three(work);
    one.join();
    two.join();
    three.join();
    BOOST_TEST(wrong == 0);
}

BOOST_AUTO_TEST_CASE(hashes_see_every_byte)
{
    std::string text(40, 'x');
    const auto hash = keyed_hash(text);
    for (auto& c : text) {
        c = 'y';
        BOOST_TEST(keyed_hash(text) != hash);
        c = 'x';
    }
    BOOST_TEST(keyed_hash(text) == hash);
    BOOST_TEST(keyed_hash(text, 1) != hash);
    BOOST_TEST(keyed_hash(std::string_view("\0", 1)) != keyed_hash(""));
}

BOOST_AUTO_TEST_SUITE_END()
