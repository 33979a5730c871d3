//! PyMember_GetOne and PyMember_SetOne.
