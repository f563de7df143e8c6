// Text as a batch script: its directives, and what is wrong with it.
#include "client/directives.hpp"
#include "client/script.hpp"
#include "require.hpp"

#include <cstdint>

using namespace jarvis;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    (void)client::check_script(text, "job.sh");
    (void)client::split_words(text);
    const auto directives = client::parse_directives(text, "job.sh");
    if (!directives) {
        JARVIS_REQUIRE(directives.error().message.starts_with("job.sh:"));
        return 0;
    }
    std::size_t last = 0;
    for (const auto& directive : *directives) {
        JARVIS_REQUIRE(directive.line > last);
        last = directive.line;
    }
    return 0;
}
