#include "train/terminal.h"

#include <algorithm>
#include <cerrno>
#include <sys/ioctl.h>
#include <unistd.h>

namespace steepest {

namespace {

constexpr std::string_view kClear = "\r\033[K";
constexpr int kUsualColumns = 80;

}  // namespace

Terminal::Terminal(int descriptor, std::optional<bool> terminal, std::optional<int> width)
    : descriptor_(descriptor), live_(terminal.value_or(::isatty(descriptor) == 1)), width_(width) {}

void Terminal::message(std::string_view text) {
    const std::lock_guard lock(mutex_);
    // One write: lines of several processes on one terminal do not mix.
    put((line_.empty() ? "" : std::string(kClear)) + std::string(text) + "\n" + live_text());
}

void Terminal::draw(std::string_view text) {
    if (!live_) return;
    const std::lock_guard lock(mutex_);
    line_ = text;
    put(std::string(kClear) + live_text());
}

void Terminal::erase() {
    const std::lock_guard lock(mutex_);
    if (!line_.empty()) put(kClear);
    line_.clear();
}

// One column stays free: a character in the last one makes some terminals wrap.
std::string Terminal::live_text() const {
    return line_.substr(0, static_cast<std::size_t>(std::max(columns() - 1, 0)));
}

int Terminal::columns() const {
    if (width_) return *width_;
    winsize size{};
    return ::ioctl(descriptor_, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUsualColumns;
}

void Terminal::put(std::string_view text) const {
    while (!text.empty()) {
        const ssize_t n = ::write(descriptor_, text.data(), text.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return;
        text.remove_prefix(n);
    }
}

}  // namespace steepest
