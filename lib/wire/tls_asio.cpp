// The one file that compiles Asio's TLS.
#include <boost/asio/ssl/impl/src.hpp>
