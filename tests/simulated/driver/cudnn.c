#include "machine.h"
API size_t cudnnGetVersion(void) { return (size_t)the_machine()->cudnn; }
API int cudnnGetProperty(int kind, int *value) {
    int version = the_machine()->cudnn, base = version >= 90000 ? 10000 : 1000;
    ENTER();
    *value = kind == 0 ? version / base : kind == 1 ? version % base / 100 : version % 100;
    return SUCCESS;
}
