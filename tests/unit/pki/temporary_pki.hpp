// A certificate authority in a folder that goes away.
#pragma once

#include "pki/folder.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>

namespace jarvis::pki {

// Noon of 2026-06-01.
constexpr WallTime noon{std::chrono::sys_days{std::chrono::year{2026} / 6 / 1} + std::chrono::hours{12}};
using std::chrono::days;

struct TemporaryPki {
    std::string path;
    TemporaryPki()
    {
        path = (std::filesystem::temp_directory_path() / "jarvis-pki-XXXXXX").string();
        BOOST_REQUIRE(::mkdtemp(path.data()));
    }
    ~TemporaryPki() { std::filesystem::remove_all(path); }
    TemporaryPki(const TemporaryPki&) = delete;
    TemporaryPki& operator=(const TemporaryPki&) = delete;

    std::vector<Entry> make(const std::string& cluster = "hpc", WallTime now = noon)
    {
        auto made = init(path, cluster, {}, {.now = now});
        BOOST_REQUIRE_MESSAGE(made, made.error().message);
        return *made;
    }
    Certificate node(const std::string& name, Term term = {.now = noon})
    {
        const std::vector<std::string> names{name};
        auto made = make_nodes(path, names, term);
        BOOST_REQUIRE_MESSAGE(made, made.error().message);
        return made->front().certificate;
    }
};

inline std::string failure(const auto& result)
{
    return result ? std::string("it did not fail") : result.error().message;
}

inline bool has(const std::string& text, std::string_view part)
{
    BOOST_TEST_INFO(text);
    return text.find(part) != std::string::npos;
}

} // namespace jarvis::pki
