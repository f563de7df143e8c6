// Text as a configuration file: a configuration or a list of problems, each with its place.
#include "config/config.hpp"
#include "require.hpp"

#include <cstdint>

using namespace jarvis;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto parsed = config::parse_config(text, "fuzz.toml");
    if (!parsed) {
        JARVIS_REQUIRE(!parsed.error().list.empty());
        JARVIS_REQUIRE(!parsed.error().text().empty());
        for (const auto& problem : parsed.error().list)
            JARVIS_REQUIRE(!problem.message.empty() && problem.place.file == "fuzz.toml");
    }
    return 0;
}
