// Makes an auth plugin from a class. See auth.h for who calls what.
//
//     class Peers {
//     public:
//         explicit Peers(const jarvis_plugin::Settings& settings);
//         void from_peer(int fd, jarvis_identity& identity);      // throws Failure(JARVIS_DENIED, ...)
//     };
//     JARVIS_AUTH_PLUGIN(Peers, (jarvis_plugin::About{"peers", "1.0", "asks the kernel"}))
#ifndef JARVIS_AUTH_HPP
#define JARVIS_AUTH_HPP

#include <jarvis/auth.h>
#include <jarvis/plugin.hpp>

namespace jarvis_plugin {

template <class T>
struct AuthTable {
    static std::int32_t open(const jarvis_open* args, void** state, char* error, std::uint32_t error_size) noexcept
    {
        return guarded(error, error_size, [&] { *state = new T(Settings(*args)); });
    }
    static void close(void* state) noexcept { delete static_cast<T*>(state); }
    static std::int32_t from_peer(void* state, std::int32_t fd, jarvis_identity* out, char* error,
                                  std::uint32_t error_size) noexcept
    {
        return guarded(error, error_size, [&] {
            jarvis_identity identity{};
            static_cast<T*>(state)->from_peer(fd, identity);
            identity.struct_size = out->struct_size;
            std::memcpy(static_cast<void*>(out), &identity, std::min<std::size_t>(out->struct_size, sizeof identity));
        });
    }
    static jarvis_auth make(const About& about) noexcept
    {
        jarvis_auth table{};
        table.header = header("auth", about, sizeof table);
        table.open = open;
        table.close = close;
        table.from_peer = from_peer;
        return table;
    }
};

} // namespace jarvis_plugin

#define JARVIS_AUTH_PLUGIN(Class, about)                                                                               \
    extern "C" const jarvis_auth* jarvis_auth_entry(void)                                                              \
    {                                                                                                                  \
        static const jarvis_auth table = jarvis_plugin::AuthTable<Class>::make about;                                  \
        return &table;                                                                                                 \
    }

#endif
