// Plugins that are wrong in one way each (WRONG says in which), or only older or newer than this Jarvis and therefore
// right.
#include <jarvis/auth.hpp>
#include <jarvis/policy.hpp>

#include <csignal>

namespace {

enum {
    OTHER_MAJOR = 1,
    OLD_MINOR,
    SHORT_HEADER,
    NO_NAME,
    OTHER_KIND,
    NO_TABLE,
    LACKS_FUNCTION,
    ODD_SETTING,
    CRASHES,
    SHORT_TABLE,
    OLDER,
    NEWER,
    THROWS
};

// A policy of the days when it could do nothing but be opened; a host of today must not look behind `close`.
struct OlderPolicy {
    jarvis_plugin_header header;
    int32_t (*open)(const jarvis_open*, void**, char*, uint32_t);
    void (*close)(void*);
    // Where newer tables have functions.
    const char* what_comes_next;
};

// A policy of a future Jarvis, with a member more.
struct NewerPolicy {
    jarvis_policy policy;
    int32_t (*predict)(void*);
};

class Plain {
public:
    explicit Plain(const jarvis_plugin::Settings&)
    {
        if (WRONG == CRASHES)
            std::raise(SIGSEGV);
        if (WRONG == THROWS)
            throw 42;
    }
    void priority(const jarvis_plugin::Jobs&, std::span<std::int64_t> out)
    {
        for (auto& number : out)
            number = 7;
    }
};

const jarvis_setting odd_setting{"odd", 99, 0, "", nullptr, "of a type that nobody knows"};
constexpr jarvis_plugin::About about{"wrong", "1.0", "wrong on purpose"};

const void* make()
{
    static jarvis_policy table = jarvis_plugin::PolicyTable<Plain>::make(about);
    static NewerPolicy newer{table, nullptr};
    static OlderPolicy older{table.header, table.open, table.close, "this is no function"};
    switch (WRONG) {
    case OTHER_MAJOR:
        table.header.abi_major = 7;
        table.header.abi_minor = 3;
        break;
    case OLD_MINOR:
        table.header.abi_minor = 0;
        break;
    case SHORT_HEADER:
        table.header.struct_size = 20;
        break;
    case NO_NAME:
        table.header.name = nullptr;
        break;
    case OTHER_KIND:
        table.header.kind = "storage";
        break;
    case NO_TABLE:
        return nullptr;
    case LACKS_FUNCTION:
        table.close = nullptr;
        break;
    case ODD_SETTING:
        table.header.settings = &odd_setting;
        table.header.setting_count = 1;
        break;
    case SHORT_TABLE:
        table.header.struct_size = sizeof(jarvis_plugin_header);
        break;
    case OLDER:
        older.header.struct_size = offsetof(OlderPolicy, what_comes_next);
        return &older;
    case NEWER:
        newer.policy.header.struct_size = sizeof newer;
        newer.policy.header.abi_minor = JARVIS_ABI_MINOR + 5;
        return &newer;
    default:
        break;
    }
    return &table;
}

} // namespace

extern "C" const jarvis_policy* jarvis_policy_entry(void)
{
    return static_cast<const jarvis_policy*>(make());
}
